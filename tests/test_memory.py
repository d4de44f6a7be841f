"""The site memory: what counts and what does not, what is forgotten, and what it takes on disk and in memory."""

from __future__ import annotations

import random
import sqlite3
import tracemalloc
from pathlib import Path

import pytest

from trainer import InputError, memory_file
from trainer.memory import COPY, MIN_ARTICLES, MIN_DF, SiteMemory
from trainer.memory_file import WINDOW

SITE = "lundbay.example"
MENU = "Home | Politics | Harbour | Weather"
APPEAL = "We are {} gifts short of our goal for this month, so please help us to keep reporters in Lund Bay."
WORDS = "harbour council ferry bridge mill tram school union winter vote mayor court clerk quarry pier lamp market tower".split()


def story(seed: object, paragraphs: int = 5) -> list[str]:
    """Return paragraphs of prose length that no other seed gives."""
    rng = random.Random(str(seed))
    return [" ".join(rng.choice(WORDS) for _ in range(25))[:100] for _ in range(paragraphs)]


def page(seed: object) -> list[str]:
    """Return a story among what the site repeats."""
    first, *rest = story(seed)
    return [MENU, first, APPEAL.format(abs(hash(str(seed))) % 900), *rest]


@pytest.fixture
def memory(tmp_path: Path) -> SiteMemory:
    return SiteMemory(tmp_path / "sites.sqlite")


def learn(memory: SiteMemory, articles: int, site: str = SITE) -> None:
    for number in range(articles):
        memory.observe(site, page(number))


def size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))


def test_what_recurs_has_a_share_and_what_was_seen_once_has_none(memory: SiteMemory) -> None:
    learn(memory, 10)
    share = memory.share(SITE, page("new"))
    assert share.tolist() == [1, 0, 1, 0, 0, 0, 0]
    assert memory.look(SITE, page("new")).elsewhere.tolist() == [True, False, True, False, False, False, False]


def test_the_share_is_that_of_the_sites_articles(memory: SiteMemory) -> None:
    for number in range(20):
        memory.observe(SITE, [*story(number), *([MENU] if number % 4 == 0 else [])])
    assert memory.share(SITE, [MENU]).tolist() == [0.25]


def test_little_counts_as_nothing(memory: SiteMemory) -> None:
    for number in range(MIN_ARTICLES):
        assert memory.share(SITE, [MENU]).tolist() == [0]
        memory.observe(SITE, page(number))
    assert memory.share(SITE, [MENU]).tolist() == [1]
    for number in range(MIN_DF):
        assert memory.share(SITE, ["Listen to this page"]).tolist() == [0]
        memory.observe(SITE, ["Listen to this page", *story(f"more {number}")])
    assert memory.share(SITE, ["Listen to this page"]).tolist() == [MIN_DF / (MIN_ARTICLES + MIN_DF)]


def test_looking_counts_nothing(memory: SiteMemory) -> None:
    for number in range(10):
        memory.look(SITE, page(number))
        memory.share(SITE, page(number))
    assert memory.look(SITE, page("new")).articles == 0
    assert memory.sites() == []


def test_sites_are_apart(memory: SiteMemory) -> None:
    learn(memory, 10)
    assert memory.share("corrin.example", page("new")).tolist() == [0] * 7


def test_a_paragraph_counts_once_an_article(memory: SiteMemory) -> None:
    for number in range(10):
        memory.observe(SITE, [*([MENU] * 5), *story(number)])
    assert memory.look(SITE, [MENU, MENU]).df.tolist() == [10, 10]


def test_numbers_alone_are_not_remembered(memory: SiteMemory) -> None:
    for number in range(10):
        memory.observe(SITE, ["2-1", "", *story(number)])
    assert memory.share(SITE, ["3-0", ""]).tolist() == [0, 0]


def test_nothing_is_observed_without_harm(memory: SiteMemory) -> None:
    assert memory.observe(SITE, []).df.tolist() == []
    assert memory.share(SITE, []).tolist() == []


# ── copies


def test_an_article_that_comes_again_counts_once(memory: SiteMemory) -> None:
    learn(memory, 10)
    for _ in range(30):
        assert memory.observe(SITE, page(3)).copy
    seen = memory.look(SITE, page(3))
    assert (seen.articles, seen.df.max(), seen.share[3:].max()) == (10, 10, 0)
    assert not seen.elsewhere[3:].any(), "its paragraphs stand nowhere but in itself"


def test_a_story_with_other_residue_and_some_new_lines_is_a_copy(memory: SiteMemory) -> None:
    learn(memory, 10)
    again = ["Listen", *page(3), "Another headline above another appeal for money, of more than eighty characters in all."]
    assert memory.observe(SITE, again).copy
    assert memory.look(SITE, page("new")).articles == 10


def test_a_story_of_which_less_is_known_is_another(memory: SiteMemory) -> None:
    old = story("old", 10)
    memory.observe(SITE, old)
    most = int(COPY * 10)
    assert memory.look(SITE, [*old[:most], *story("new", 10 - most)]).copy
    assert not memory.look(SITE, [*old[: most - 1], *story("new", 11 - most)]).copy


def test_paragraphs_of_several_articles_do_not_make_a_copy(memory: SiteMemory) -> None:
    learn(memory, 10)
    assert not memory.look(SITE, [story(number)[0] for number in range(5)]).copy


def test_a_story_that_is_updated_again_and_again_stays_one(memory: SiteMemory) -> None:
    learn(memory, 10)
    lines = story("live", 10)
    for update in range(40):  # each time a new line for an old one
        memory.observe(SITE, [MENU, *lines])
        lines = [*lines[1:], story(f"update {update}", 1)[0]]
    seen = memory.look(SITE, lines)
    assert (seen.articles, seen.df.max()) == (11, 1)


def test_a_story_that_grows_stays_one(memory: SiteMemory) -> None:
    learn(memory, 10)
    lines = story("live", 16)
    for length in range(4, 17):
        memory.observe(SITE, [MENU, *lines[:length]])
    seen = memory.look(SITE, lines)
    assert (seen.articles, seen.df.max()) == (11, 1)


def test_the_story_tells_copies_where_it_is_known(memory: SiteMemory) -> None:
    """With a page that is nearly all residue, only its story says that it is another."""
    long = [f"{text} of our own" for text in story("residue", 10)]
    short = [story(number, 1) for number in range(10)]
    mask = [True] + [False] * 10
    assert [memory.observe(SITE, [*text, *long], mask).copy for text in short] == [False] * 10
    assert memory.share(SITE, long).tolist() == [1] * 10


# ── the file


def test_what_is_not_written_yet_counts(memory: SiteMemory) -> None:
    learn(memory, 10)
    assert not sqlite3.connect(memory.path).execute("SELECT * FROM site").fetchall()
    assert memory.look(SITE, page("new")).articles == 10


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_the_same_is_known_whatever_the_batch(tmp_path: Path, batch: int) -> None:
    path = tmp_path / "m.sqlite"
    with SiteMemory(path, batch=batch) as memory:
        learn(memory, 10)
        before = memory.look(SITE, page(2))
    after = SiteMemory(path).look(SITE, page(2))
    assert (before.df.tolist(), before.elsewhere.tolist(), before.articles) == (
        after.df.tolist(),
        after.elsewhere.tolist(),
        after.articles,
    )
    assert (after.articles, after.df.tolist()) == (10, [10, 1, 10, 1, 1, 1, 1])


def test_a_closed_memory_opens_again(memory: SiteMemory) -> None:
    learn(memory, 10)
    memory.close()
    assert [file.name for file in memory.path.parent.iterdir()] == [memory.path.name]
    assert memory.share(SITE, [MENU]).tolist() == [1]


def test_what_was_seen_before_an_error_is_written(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), SiteMemory(tmp_path / "m.sqlite") as memory:  # noqa: PT012
        learn(memory, 10)
        raise KeyboardInterrupt
    assert SiteMemory(tmp_path / "m.sqlite").look(SITE, [MENU]).articles == 10


def test_a_batch_that_cannot_be_written_is_lost_and_the_rest_goes_on(tmp_path: Path) -> None:
    """As on a full disk: said once a batch, nothing piles up, and what was written stays."""
    with SiteMemory(tmp_path / "m.sqlite", batch=10) as memory:
        learn(memory, 10)
        with sqlite3.connect(memory.path) as db:
            db.execute("CREATE TRIGGER full BEFORE INSERT ON paragraph BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END")
        refused = []
        for number in range(40):
            try:
                memory.observe(SITE, page(f"lost {number}"))
            except InputError as error:
                refused.append(str(error))
        assert len(refused) == 4
        assert all("disk is full" in text for text in refused)
        db.execute("DROP TRIGGER full")
        db.close()
        memory.observe(SITE, page("after"))
    with SiteMemory(memory.path) as memory:
        assert memory.look(SITE, [MENU]).articles == 11


def test_the_drift_of_a_site_survives_a_restart(tmp_path: Path) -> None:
    flagged = []
    for removed in [*([2] * 60), *([14] * 10)]:
        with SiteMemory(tmp_path / "m.sqlite") as memory:
            flagged.append(memory.track(SITE, removed, 20))
    assert flagged.index(True) == 69
    assert memory.sites()[0].site == SITE


def test_sites_are_listed_with_what_is_known_of_them(memory: SiteMemory) -> None:
    learn(memory, 10)
    learn(memory, 3, "corrin.example")
    for _ in range(60):
        memory.track(SITE, 5, 20)
    first, second = memory.sites()
    assert (first.site, first.articles, first.paragraphs, first.removed_share) == (SITE, 10, 52, 0.25)
    assert (second.site, second.articles, second.paragraphs) == ("corrin.example", 3, 17)
    assert second.removed_share is None


def test_a_paragraph_takes_less_than_64_bytes_on_disk(tmp_path: Path) -> None:
    with SiteMemory(tmp_path / "m.sqlite") as memory:
        for number in range(2000):
            memory.observe(f"s{number % 40}.example", page(number))
        paragraphs = sum(site.paragraphs for site in memory.sites())
    assert paragraphs > 9000
    assert size(memory.path) / paragraphs < 64


def test_memory_and_disk_stay_bounded(tmp_path: Path) -> None:
    with SiteMemory(tmp_path / "m.sqlite", max_paragraphs=2000, batch=20) as memory:
        learn(memory, 100, "warm.example")
        tracemalloc.start()
        sizes = []
        for number in range(1500):
            memory.observe(f"s{number // 10}.example", page(number))
            if number % 100 == 99:
                memory.flush()
                sizes.append((memory.path.stat().st_size, size(memory.path), tracemalloc.get_traced_memory()[0]))
                assert sum(site.paragraphs + 1 for site in memory.sites()) <= 2000
        tracemalloc.stop()
    file, with_log, taken = map(max, zip(*sizes, strict=True))
    assert file < 2 * 64 * 2000
    assert with_log < file + 4.4e6
    assert taken < 1e6
    assert size(memory.path) < 2 * 64 * 2000


def test_the_rarest_of_the_sites_not_written_to_for_longest_go_first(tmp_path: Path) -> None:
    with SiteMemory(tmp_path / "m.sqlite", max_paragraphs=300, batch=10) as memory:
        learn(memory, 20, "old.example")
        learn(memory, 20, "new.example")
        memory.flush()
        learn(memory, 25, "newest.example")
        left = {site.site: site.paragraphs for site in memory.sites()}
    assert left == {"old.example": 2, "new.example": 102, "newest.example": 127}
    assert SiteMemory(memory.path).share("old.example", [MENU, APPEAL.format(7)]).tolist() == [1, 1]


def test_sites_of_which_nothing_is_left_go(tmp_path: Path) -> None:
    with SiteMemory(tmp_path / "m.sqlite", max_paragraphs=100, batch=1) as memory:
        for number in range(200):
            memory.observe(f"s{number}.example", page(number))
        assert 5 < len(memory.sites()) < 20


def test_one_site_cannot_take_it_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_file, "MAX_SITE_PARAGRAPHS", 60)
    with SiteMemory(tmp_path / "m.sqlite", batch=10) as memory:
        learn(memory, 40)
        assert memory.sites()[0].paragraphs <= 60
        assert memory.share(SITE, [MENU]).tolist() == [1]


def test_a_huge_article_is_written_at_once(tmp_path: Path) -> None:
    with SiteMemory(tmp_path / "m.sqlite") as memory:
        memory.observe(SITE, story("huge", 25_000))
        assert sqlite3.connect(memory.path).execute("SELECT articles FROM site").fetchall() == [(1,)]


def test_counts_are_halved_and_what_was_seen_once_is_forgotten(memory: SiteMemory) -> None:
    learn(memory, WINDOW - 1)
    assert memory.sites()[0].paragraphs == 5 * (WINDOW - 1) + 2
    memory.observe(SITE, page("last"))
    (site,) = memory.sites()
    assert (site.articles, site.paragraphs) == (WINDOW // 2, 2)
    assert memory.share(SITE, page(1)).tolist() == [1, 0, 1, 0, 0, 0, 0]


def test_a_new_layout_is_learnt_within_tens_of_articles(memory: SiteMemory) -> None:
    learn(memory, 10 * WINDOW)
    for number in range(45):
        memory.observe(SITE, ["Listen to this page", *story(f"new {number}")])
    assert memory.share(SITE, ["Listen to this page"])[0] >= memory.repeated


# ── what is refused


def test_a_site_without_a_name_is_refused(memory: SiteMemory) -> None:
    for site in ("", " ", None, 3):
        for call in (memory.observe, memory.look, memory.share):
            with pytest.raises(InputError, match="needs the site of each article"):
                call(site, [MENU])


@pytest.mark.parametrize("settings", [{"repeated": 0}, {"repeated": 1.1}, {"max_paragraphs": 0}, {"batch": 0}])
def test_settings_out_of_range_are_refused(tmp_path: Path, settings: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(settings))} is"):
        SiteMemory(tmp_path / "m.sqlite", **settings)
    assert not (tmp_path / "m.sqlite").exists()


def test_files_that_are_no_memory_are_refused_and_left_alone(tmp_path: Path) -> None:
    text, other, later = tmp_path / "text", tmp_path / "other.sqlite", tmp_path / "later.sqlite"
    text.write_text("Not a database at all. " * 100)
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE things (x)")
    SiteMemory(later).close()
    with sqlite3.connect(later) as db:
        db.execute("PRAGMA user_version = 99")
    for path, cause in ((text, "not a database"), (other, "another SQLite file"), (later, "format 99"), (tmp_path, "cannot be")):
        before = path.read_bytes() if path.is_file() else b""
        with pytest.raises(InputError, match=cause) as caught:
            SiteMemory(path)
        assert str(path) in str(caught.value)
        assert (path.read_bytes() if path.is_file() else b"") == before
