"""`trainer labels push` against a real Label Studio."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from commands import refuse, succeed
from labelling import (
    colleague,
    file,
    ids,
    number_of,
    predicted,
    project_name,
    result,
    scraped,
    submit,
    tasks_of,
    use,
    versions,
)
from small import write

from trainer import artifact
from trainer.cli.labels.push import push
from trainer.studio import interface

FIVE = '[[labels]]\nname = "news"\nkept = true\ncolour = "#111111"\nhotkey = "9"\n' + "".join(
    f'[[labels]]\nname = "{name}"\n' for name in ("fundraising", "navigation", "caption", "promo")
)


@pytest.fixture
def client(studio, monkeypatch):
    """A client of the server that the commands find."""
    with use(studio, monkeypatch) as client:
        yield client


@pytest.fixture
def project():
    """A name that no project has."""
    return project_name()


def test_each_article_is_a_task_with_a_region_for_each_paragraph(client, project, tmp_path, folder):
    report = push([file(tmp_path, map(scraped, range(3)))], project, folder)
    assert (report["articles"], report["new"], report["changed"]) == (3, 3, [])
    tasks = tasks_of(client, project)
    assert ids(tasks) == ["a0", "a1", "a2"]
    model = artifact.load(folder)
    for number, task in enumerate(tasks):
        texts = scraped(number)["paragraphs"]
        assert [part["text"] for part in task["data"]["paras"]] == texts
        assert task["data"]["site"] == f"site{number}.example"
        expected = model.label(texts)
        assert predicted(task) == [one.label for one in expected]
        (prediction,) = task["predictions"]
        assert prediction["model_version"] == f"trainer:{model.name}@{model.digest[:12]}"
        scores = [region["score"] for region in prediction["result"]]
        assert scores == pytest.approx([one.probability for one in expected], abs=1e-6)
        assert prediction["score"] == pytest.approx(sum(scores) / len(scores), abs=1e-5)
        assert [int(region["value"]["start"]) for region in prediction["result"]] == list(range(len(texts)))


def test_a_person_who_opens_a_task_gets_the_regions(client, project, tmp_path, folder):
    push([file(tmp_path, [scraped(1)])], project, folder)
    following = client._get(f"api/projects/{number_of(client, project)}/next")
    assert following["data"]["id"] == "a1"
    assert len(following["predictions"][0]["result"]) == 5


def test_the_interface_has_hotkeys_colours_and_the_link_to_the_guidelines(client, project, tmp_path, folder):
    config = tmp_path / "five.toml"
    config.write_text(FIVE)
    push([file(tmp_path, [scraped(1)])], project, folder, config=config, guidelines="https://guide.example/?a=1&b=2")
    (found,) = client.projects(project)
    shown = interface.shown_labels(found["label_config"])
    assert list(shown) == ["news", "fundraising", "navigation", "caption", "promo"]
    assert shown["news"] == ("#111111", "9")
    assert 'href="https://guide.example/?a=1&amp;b=2"' in found["expert_instruction"]
    assert "<b>9</b> news" in found["expert_instruction"]
    assert found["show_instruction"]


def test_guidelines_of_a_file_are_shown_with_their_tables(client, project, tmp_path, folder):
    guide = tmp_path / "guide.md"
    guide.write_text("# Rules\n\n| a | b |\n| - | - |\n| `news` | <script>alert(1)</script> |\n")
    push([file(tmp_path, [scraped(1)])], project, folder, guidelines=str(guide))
    (found,) = client.projects(project)
    assert "<td><code>news</code></td>" in found["expert_instruction"]
    assert "<script>" not in found["expert_instruction"]


def test_a_second_push_adds_nothing_and_new_articles_are_added(client, project, tmp_path, folder):
    push([file(tmp_path, map(scraped, range(3)))], project, folder)
    before = tasks_of(client, project)
    again = push([file(tmp_path, map(scraped, range(3)))], project, folder)
    assert (again["new"], again["predictions_replaced"]) == (0, 0)
    assert tasks_of(client, project) == before
    more = push([file(tmp_path, map(scraped, range(5)))], project, folder)
    assert more["new"] == 2
    assert ids(tasks_of(client, project)) == ["a0", "a1", "a2", "a3", "a4"]


def test_limit_takes_the_first_articles(client, project, tmp_path, folder):
    source = file(tmp_path, map(scraped, range(5)))
    assert push([source], project, folder, limit=2)["new"] == 2
    assert push([source], project, folder, limit=2)["new"] == 0
    assert ids(tasks_of(client, project)) == ["a0", "a1"]


def test_a_newer_model_replaces_its_older_predictions_and_no_others(client, project, tmp_path, folder, model_folder):
    push([file(tmp_path, map(scraped, range(3)))], project, folder)
    first, second, _ = tasks_of(client, project)
    number = number_of(client, project)
    theirs = {"model_version": "somebody-else", "result": result(first, ["caption"] * 5), "task": first["id"]}
    client.import_predictions(number, [theirs])
    submit(client, second, ["news"] * 5)
    report = push([file(tmp_path, [scraped(7)])], project, model_folder)
    assert (report["new"], report["predictions_replaced"], report["shown"]) == (1, 3, True)
    tasks = tasks_of(client, project)
    new = report["model_version"]
    assert list(map(sorted, versions(tasks))) == [["somebody-else", new], [new], [new], [new]]
    assert [len(task["annotations"]) for task in tasks] == [0, 1, 0, 0]
    assert predicted(tasks[3]) == [one.label for one in artifact.load(model_folder).label(scraped(7)["paragraphs"])]
    (found,) = client.projects(project)
    assert found["model_version"] == new
    assert push([file(tmp_path, [scraped(7)])], project, model_folder)["predictions_replaced"] == 0


def test_what_the_owner_chose_to_show_stays(client, project, tmp_path, folder, model_folder, cli):
    source = file(tmp_path, [scraped(1)])
    push([source], project, folder)
    (task,) = tasks_of(client, project)
    number = number_of(client, project)
    client.import_predictions(number, [{"model_version": "mine", "result": result(task, ["caption"] * 5), "task": task["id"]}])
    client.update_project(number, model_version="mine")
    outcome = succeed(cli("labels", "push", source, "--project", project, "--model", model_folder))
    assert "choose trainer:" in outcome.err
    assert client.project(number)["model_version"] == "mine"


def test_labels_of_a_label_file_go_before_the_models(client, project, tmp_path, folder):
    labels = ["caption", None, "navigation"]
    parts = [{"text": text, "label": label} for text, label in zip(scraped(1)["paragraphs"][:3], labels, strict=True)]
    parts[0]["review"] = "looks like news"
    push(
        [write(tmp_path / "labels.jsonl", [{"id": "x", "site": "s.example", "review": "please look", "paragraphs": parts}])],
        project,
        folder,
    )
    (task,) = tasks_of(client, project)
    mine = predicted(task)
    assert (mine[0], mine[2]) == ("caption", "navigation")
    assert mine[1] == artifact.load(folder).label([part["text"] for part in parts])[1].label
    assert ["score" in region for region in task["predictions"][0]["result"]] == [False, True, False]
    assert task["data"]["review"] == "please look · 1: looks like news"


def test_given_labels_survive_a_newer_model(client, project, tmp_path, folder, model_folder):
    parts = [{"text": text, "label": "caption"} for text in scraped(1)["paragraphs"]]
    source = write(tmp_path / "labels.jsonl", [{"id": "x", "site": "s.example", "paragraphs": parts}])
    push([source], project, folder)
    push([source], project, model_folder)
    (task,) = tasks_of(client, project)
    assert predicted(task) == ["caption"] * 5


def test_without_a_model_every_region_gets_the_first_kept_label(client, project, tmp_path, folder):
    parts = [{"text": "One.", "label": "caption"}, {"text": "Two.", "label": None}]
    push([write(tmp_path / "labels.jsonl", [{"id": "x", "site": "s.example", "paragraphs": parts}])], project, no_model=True)
    (task,) = tasks_of(client, project)
    assert predicted(task) == ["news", "news"]
    assert task["predictions"][0]["model_version"] == "trainer:seed"
    assert "caption" not in json.dumps(task["data"])  # nothing leads the person, nor a later model
    assert push([file(tmp_path, [scraped(1)])], project, folder)["predictions_replaced"] == 1


def test_seeds_do_not_push_a_models_regions_away(client, project, tmp_path, folder, cli):
    source = file(tmp_path, [scraped(1)])
    push([source], project, folder)
    refuse(cli("labels", "push", source, "--project", project, "--no-model"), "made by a model", "project of their own")
    (task,) = tasks_of(client, project)
    assert task["predictions"][0]["model_version"] != "trainer:seed"


def test_an_edited_article_is_reported_and_not_pushed_over(client, project, tmp_path, folder, cli):
    push([file(tmp_path, [scraped(1), scraped(2)])], project, folder)
    edited = {**scraped(2), "paragraphs": ["Another text."]}
    outcome = succeed(cli("labels", "push", file(tmp_path, [scraped(1), edited]), "--project", project, "--model", folder))
    assert "changed: the text of 1 is another than in the project, which keeps its own: a2" in outcome.out
    assert len(tasks_of(client, project)[1]["data"]["paras"]) == 5


def test_texts_folders_repeats_and_empty_articles(client, project, tmp_path, folder):
    for name, text in (("one", "First line.\n\nSecond line.\n"), ("blank", "\n \n")):
        (tmp_path / f"{name}.txt").write_text(text)
    write(tmp_path / "more.jsonl", [scraped(1), scraped(1)])
    report = push([tmp_path], project, folder)
    assert (report["new"], report["empty"], report["repeated"]) == (2, 1, 1)
    by_id = {task["data"]["id"]: task["data"] for task in tasks_of(client, project)}
    assert [part["text"] for part in by_id["one"]["paras"]] == ["First line.", "Second line."]
    assert by_id["one"]["source"] == str(tmp_path / "one.txt")


def test_articles_without_a_site_are_said_and_can_be_given_one(client, project, tmp_path, folder, cli):
    (tmp_path / "one.txt").write_text("First line.\n\nSecond line.\n")
    write(tmp_path / "more.jsonl", [scraped(1)])
    other = project_name()
    outcome = succeed(cli("labels", "push", tmp_path, "--project", other, "--model", folder))
    assert "without a site: 1 name neither site nor url" in outcome.out
    assert push([tmp_path], project, folder, site="lundbay.example")["siteless"] == 0
    sites = {task["data"]["id"]: task["data"]["site"] for task in tasks_of(client, project)}
    assert sites == {"one": "lundbay.example", "a1": "site1.example"}


@pytest.mark.parametrize(
    ("second", "wanted"),
    [
        ({**scraped(1), "paragraphs": ["Other."]}, "the id 'a1' stands also at"),
        ({**scraped(1), "url": "https://elsewhere.example/1"}, "the id 'a1' stands also at"),
        ({"id": "b", "paragraphs": ["bad \ud83d half"]}, "holds U+D83D"),
        ({"id": "b", "text": "nul \0 here"}, "holds U+0000"),
        ({"id": "b", "paragraphs": [{"text": "x", "label": "weather"}]}, "unknown label 'weather'; known are news"),
    ],
)
def test_bad_articles_are_refused_before_anything_is_sent(client, project, tmp_path, folder, cli, second, wanted):
    source = file(tmp_path, [scraped(1), second])
    refuse(cli("labels", "push", source, "--project", project, "--model", folder), f"{source}:2", wanted)
    assert client.projects(project) == []


def test_an_id_of_another_site_that_is_there_is_refused(client, project, tmp_path, folder, cli):
    push([file(tmp_path, [scraped(1)])], project, folder)
    other = file(tmp_path, [{**scraped(1), "url": "https://elsewhere.example/1"}])
    refuse(
        cli("labels", "push", other, "--project", project, "--model", folder), "has an article 'a1' of another site", started=True
    )
    assert len(tasks_of(client, project)) == 1


def test_a_model_of_another_label_set_is_refused(client, project, tmp_path, folder, cli):
    config = tmp_path / "two.toml"
    config.write_text('[[labels]]\nname = "news"\nkept = true\n[[labels]]\nname = "rest"\n')
    outcome = cli("labels", "push", file(tmp_path, [scraped(1)]), "--project", project, "--model", folder, "--config", config)
    refuse(outcome, "gives labels that the label set has not: fundraising, navigation, caption", "--config")
    assert client.projects(project) == []


# ── the label set of a project that is there


def test_labels_may_be_added_and_look_different(client, project, tmp_path, folder):
    source = file(tmp_path, [scraped(1)])
    push([source], project, folder)
    (task,) = tasks_of(client, project)
    submit(client, task, ["news", "caption", None, None, "navigation"])
    config = tmp_path / "five.toml"
    config.write_text(FIVE)
    push([source], project, folder, config=config)
    (found,) = client.projects(project)
    assert list(interface.shown_labels(found["label_config"])) == ["news", "fundraising", "navigation", "caption", "promo"]
    assert interface.shown_labels(found["label_config"])["news"].colour == "#111111"


def test_a_label_that_annotations_use_is_not_taken_away(client, project, tmp_path, folder, cli):
    config = tmp_path / "five.toml"
    config.write_text(FIVE)
    source = file(tmp_path, [scraped(1), scraped(2), scraped(3)])
    push([source], project, folder, config=config)
    before = client.projects(project)
    one, two, three = tasks_of(client, project)
    submit(client, one, ["promo", "promo", None, None, "news"])
    submit(client, two, ["news", None, None, "promo", "news"], was_cancelled=True)
    submit(client, three, ["caption"] * 5)
    outcome = cli("labels", "push", source, "--project", project, "--model", folder)
    refuse(outcome, "lacks labels that annotations of the project use: promo (2 annotations)", "--config", started=True)
    assert client.projects(project)[0]["label_config"] == before[0]["label_config"]


def test_a_label_that_nobody_used_may_go(client, project, tmp_path, folder):
    config = tmp_path / "five.toml"
    config.write_text(FIVE)
    source = file(tmp_path, [scraped(1)])
    push([source], project, folder, config=config)
    submit(client, tasks_of(client, project)[0], ["news"] * 5)
    push([source], project, folder)
    (found,) = client.projects(project)
    assert list(interface.shown_labels(found["label_config"])) == ["news", "fundraising", "navigation", "caption"]


def test_what_the_owner_added_to_the_interface_stays(client, project, tmp_path, folder):
    source = file(tmp_path, [scraped(1)])
    push([source], project, folder)
    (found,) = client.projects(project)
    extra = '<Choices name="mood" toName="text"><Choice value="good"/></Choices></View>'
    client.update_project(found["id"], label_config=found["label_config"].replace("</View>", extra))
    config = tmp_path / "five.toml"
    config.write_text(FIVE)
    push([source], project, folder, config=config)
    (found,) = client.projects(project)
    assert 'name="mood"' in found["label_config"]
    assert "promo" in found["label_config"]


def test_another_kind_of_project_is_refused(client, project, tmp_path, folder, cli):
    client.create_project(title=project, label_config='<View><Text name="t" value="$t"/></View>')
    outcome = cli("labels", "push", file(tmp_path, [scraped(1)]), "--project", project, "--model", folder)
    refuse(outcome, "interface is not that of this toolkit", "--project", started=True)
    assert tasks_of(client, project) == []


def test_a_project_made_by_hand_without_an_interface_gets_ours(client, project, tmp_path, folder):
    client.create_project(title=project)
    assert push([file(tmp_path, [scraped(1)])], project, folder)["new"] == 1
    assert predicted(tasks_of(client, project)[0])


# ── doubles


def test_doubles_go_unless_somebody_worked_on_them(client, project, tmp_path, folder):
    source = file(tmp_path, map(scraped, range(4)))
    push([source], project, folder)
    first, second, third, _ = (dict(task) for task in tasks_of(client, project))
    number = number_of(client, project)
    client.import_tasks(number, [{"data": task["data"]} for task in (first, second, third)])
    doubles = tasks_of(client, project)[4:]
    submit(client, doubles[0], ["news"] * 5)  # the second copy of the first is the one that was labelled
    submit(client, second, ["news"] * 5)
    submit(client, doubles[1], ["caption"] * 5, who=colleague(client))
    report = push([source], project, folder)
    assert report["doubles_deleted"] == 2
    left = tasks_of(client, project)
    assert Counter(ids(left)) == {"a0": 1, "a1": 2, "a2": 1, "a3": 1}
    assert sum(len(task["annotations"]) for task in left) == 3
    assert doubles[0]["id"] in {task["id"] for task in left}
