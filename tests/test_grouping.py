import numpy as np
import pytest
from small import article, config, load, story

from trainer.grouping import join_near_duplicates

JUNK = [(f"Read our {word} newsletter every single morning, it is free", "navigation") for word in ("great", "new", "old")]


def groups(tmp_path, items, *overrides):
    """Return the group of each article by id, and the number of articles joined."""
    dataset = load(tmp_path / "x.jsonl", items)
    found = join_near_duplicates(dataset, config(*overrides))
    return {item.id: int(group) for item, group in zip(dataset.articles, found.group, strict=True)}, found.joined


def told(number, site, *texts):
    return article(number, site, *((text, "news") for text in texts), JUNK[0])


def test_articles_of_one_site_are_one_group(tmp_path):
    items = [told(i, f"{i % 2}.example", story(i)) for i in range(6)]
    group, joined = groups(tmp_path, items)
    assert joined == 0
    assert len({group["x-0"], group["x-2"], group["x-4"]}) == 1
    assert len(set(group.values())) == 2


def test_groups_are_numbered_without_gaps(tmp_path):
    items = [told(i, f"{i}.example", story(i % 4)) for i in range(7)]
    group, _ = groups(tmp_path, items)
    assert set(group.values()) == set(range(4))


def test_same_story_joins_two_sites_and_all_their_articles(tmp_path):
    items = [
        told(0, "a.example", story(0)),
        told(1, "b.example", story(0)),
        told(2, "a.example", story(2)),
        told(3, "b.example", story(3)),
    ]
    group, joined = groups(tmp_path, [*items, told(4, "c.example", story(4))])
    assert joined == 2
    assert len({group[f"x-{i}"] for i in range(4)}) == 1
    assert group["x-4"] != group["x-0"]


def test_small_edits_do_not_hide_a_story(tmp_path):
    words = story(0, 200).split()
    edited = words.copy()
    edited[50], edited[150] = "changed", "altered"
    items = [told(0, "a.example", " ".join(words)), told(1, "b.example", " ".join(edited).upper().replace(" ", ",  "))]
    group, joined = groups(tmp_path, [*items, told(2, "c.example", story(2))])
    assert (group["x-0"] == group["x-1"], joined) == (True, 2)


def test_paragraph_breaks_do_not_hide_a_story(tmp_path):
    words = story(0).split()
    items = [
        told(0, "a.example", " ".join(words)),
        told(1, "b.example", *(" ".join(words[i : i + 10]) for i in range(0, 120, 10))),
    ]
    group, _ = groups(tmp_path, items)
    assert group["x-0"] == group["x-1"]


def test_residue_around_a_story_does_not_hide_it(tmp_path):
    plain = article(0, "a.example", (story(0), "news"), JUNK[0])
    busy = article(
        1, "b.example", *((story(50 + i), "navigation") for i in range(5)), (story(0), "news"), (story(60), "fundraising")
    )
    group, joined = groups(tmp_path, [plain, busy])
    assert (group["x-0"] == group["x-1"], joined) == (True, 2)


def test_common_residue_does_not_join_different_stories(tmp_path):
    menu = (story(99, 300), "navigation")
    items = [article(i, f"{i}.example", menu, (story(i), "news"), menu) for i in range(5)]
    group, joined = groups(tmp_path, items)
    assert (len(set(group.values())), joined) == (5, 0)


def test_different_stories_of_the_same_words_are_not_joined(tmp_path):
    words = story(0).split()
    shuffled = [words[i] for i in np.random.default_rng(0).permutation(len(words))]
    group, joined = groups(tmp_path, [told(0, "a.example", " ".join(words)), told(1, "b.example", " ".join(shuffled))])
    assert (group["x-0"] == group["x-1"], joined) == (False, 0)


def test_joins_carry_over(tmp_path):
    items = [
        told(0, "a.example", story(0)),
        told(1, "b.example", story(0)),
        told(2, "b.example", story(1)),
        told(3, "c.example", story(1)),
        told(4, "d.example", story(4)),
    ]
    group, joined = groups(tmp_path, items)
    assert len({group[f"x-{i}"] for i in range(4)}) == 1
    assert group["x-4"] != group["x-0"]
    assert joined == 4


def test_same_story_twice_on_one_site_is_not_counted_as_joined(tmp_path):
    items = [told(0, "a.example", story(0)), told(1, "a.example", story(0), story(9, 3)), told(2, "b.example", story(2))]
    assert groups(tmp_path, items)[1] == 0


@pytest.mark.parametrize(("words", "joined"), [(0, 0), (3, 0), (29, 0), (30, 2), (31, 2)])
def test_short_stories_are_never_joined(tmp_path, words, joined):
    items = [told(0, "a.example", story(0, words)), told(1, "b.example", story(0, words))]
    assert groups(tmp_path, items)[1] == joined


def test_unlabelled_paragraphs_are_no_part_of_the_story(tmp_path):
    items = [article(i, f"{i}.example", (story(0), None), (story(i + 1), "news"), JUNK[0]) for i in range(2)]
    assert groups(tmp_path, items)[1] == 0


def test_half_a_story_in_common_is_a_matter_of_the_threshold(tmp_path):
    items = [told(i, f"{i}.example", story(0, 150), story(i + 1, 100)) for i in range(2)]
    assert groups(tmp_path, items, "evaluation.near_duplicate=0.9")[1] == 0
    assert groups(tmp_path, items, "evaluation.near_duplicate=0.2")[1] == 2


@pytest.mark.parametrize("threshold", ["0.001", "0.01", "0.99", "1.0"])
def test_every_threshold_the_configuration_allows_works(tmp_path, threshold):
    items = [told(0, "a.example", story(0)), told(1, "b.example", story(0)), told(2, "c.example", story(2))]
    group, joined = groups(tmp_path, items, f"evaluation.near_duplicate={threshold}")
    assert group["x-0"] == group["x-1"]
    assert joined >= 2


def test_grouping_is_the_same_each_time(tmp_path):
    items = [told(i, f"{i}.example", story(i // 2)) for i in range(10)]
    first = groups(tmp_path, items)
    assert all(groups(tmp_path, items) == first for _ in range(3))
    assert groups(tmp_path, items[::-1]) == first


def test_texts_in_any_script_and_lone_surrogates_are_taken(tmp_path):
    odd = " ".join(["\ud800x", "слово", "語", "كلمة"] * 20)
    items = [told(0, "a.example", odd), told(1, "b.example", odd)]
    assert groups(tmp_path, items)[1] == 2


def test_custom_kept_labels_make_the_story(tmp_path):
    items = [article(i, f"{i}.example", (story(0), "caption"), (story(i + 1), "news")) for i in range(2)]
    kept = 'labels=[{name="news"}, {name="caption", kept=true}]'
    assert groups(tmp_path, items)[1] == 0
    assert groups(tmp_path, items, kept)[1] == 2
