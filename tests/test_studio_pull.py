"""`trainer labels pull` against a real Label Studio."""

from __future__ import annotations

import json

import pytest
from commands import read, refuse, succeed
from labelling import COLLEAGUE, colleague, file, ids, number_of, project_name, result, scraped, submit, tasks_of, use
from small import write

from trainer.cli.labels.pull import pull
from trainer.cli.labels.push import push
from trainer.dataset import load_labels
from trainer.schema import NEWS_LABELS
from trainer.studio import interface

ODD = [
    "👩‍👩‍👧‍👦 said 𝒽ello 🏴󠁧󠁢󠁥󠁮󠁧󠁿 twice",
    "قال المتحدث إن العبّارة ستعود غدًا ‏(مساءً)",
    "הספינה תחזור מחר",
    "  spaces, a\ttab and a no-break\u00a0space  ",
    "combining: e\u0301 and é; <b>not bold</b> &amp; &lt;",
    "x" * 20_000,
]

DATA = {"key": "k", "id": "x", "paras": [{"text": "t"}]}
REGION = {"type": "paragraphlabels", "from_name": "label"}


@pytest.fixture
def client(studio, monkeypatch):
    """A client of the server that the commands find."""
    with use(studio, monkeypatch) as client:
        yield client


@pytest.fixture
def project(client, tmp_path):
    """A project with four articles."""
    name = project_name()
    push([file(tmp_path, map(scraped, range(4)), "pushed.jsonl")], name, no_model=True)
    return name


@pytest.fixture
def out(tmp_path):
    """A label file that is not there yet."""
    return tmp_path / "labels" / "pulled.jsonl"


def labels(path):
    return {record["id"]: [p["label"] for p in record["paragraphs"]] for record in read(path)}


def test_submitted_labels_are_written_in_the_label_format(client, project, out, studio):
    one, two, *_ = tasks_of(client, project)
    submit(client, one, ["news", "news", "caption", "fundraising", "navigation"])
    submit(client, two, ["news", None, "caption", None, "navigation"])
    report = pull(project, out)
    assert (report["new"], report["new_articles"], report["written"]) == (8, 2, True)
    first, second = read(out)
    assert (first["id"], first["site"], first["source"]) == ("a0", "site0.example", "https://www.site0.example/0")
    assert [p["text"] for p in first["paragraphs"]] == scraped(0)["paragraphs"]
    assert {p["annotator"] for p in first["paragraphs"]} == {studio.username}
    assert all(p["updated"].startswith("20") for p in first["paragraphs"])
    assert second["paragraphs"][1] == {"text": scraped(1)["paragraphs"][1], "label": None}
    dataset = load_labels([out], NEWS_LABELS)
    assert dataset.counts()["news"] == 3


def test_what_was_pulled_can_be_pushed_and_trained_with(client, project, out, tmp_path, cli):
    from small import SET

    push([file(tmp_path, map(scraped, range(12)))], project, no_model=True)
    for task in tasks_of(client, project):
        submit(client, task, ["news", "news", "caption", "fundraising", "navigation"])
    succeed(cli("labels", "pull", "--project", project, "--out", out))
    succeed(cli("train", out, "--out", tmp_path / "model", *SET))
    report = push([out], project, tmp_path / "model")
    assert (report["new"], report["changed"]) == (0, [])


def test_a_second_pull_changes_nothing(client, project, out):
    submit(client, tasks_of(client, project)[0], ["news"] * 5)
    pull(project, out)
    before, stamp = out.read_bytes(), out.stat().st_mtime_ns
    report = pull(project, out)
    assert (report["same"], report["new"], report["changed"], report["written"]) == (5, 0, 0, False)
    assert (out.read_bytes(), out.stat().st_mtime_ns) == (before, stamp)


def test_drafts_and_skipped_tasks_count_for_nothing(client, project, out):
    one, two, three, _ = tasks_of(client, project)
    submit(client, one, ["caption"] * 5, was_cancelled=True)
    draft = {"result": result(two, ["caption"] * 5), "lead_time": 1.0}
    client._send("POST", f"api/tasks/{two['id']}/drafts", draft)
    submit(client, three, ["news"] * 5)
    submit(client, three, ["caption"] * 5, was_cancelled=True)
    report = pull(project, out)
    assert labels(out) == {"a2": ["news"] * 5}
    assert (report["annotations"], report["cancelled"]) == (1, 2)


def test_edited_annotations_update_labels_and_drop_their_kind(client, project, out):
    one, two, *_ = tasks_of(client, project)
    number = submit(client, one, ["news"] * 5)
    submit(client, two, ["news"] * 5)
    pull(project, out)
    records = read(out)
    for paragraph in records[0]["paragraphs"]:
        paragraph |= {"kind": "news", "note": "mine"}
    records[0] |= {"weight": 2, "quality": "good"}
    write(
        out,
        [*records, {"id": "own", "site": "o.example", "paragraphs": [{"text": "Ours.", "label": "caption", "kind": "caption"}]}],
    )
    client._sdk.annotations.update(number, result=result(one, ["news", "caption", "news", "news", "navigation"]))
    report = pull(project, out)
    assert (report["changed"], report["same"], report["new"], report["gone"]) == (2, 8, 0, 0)
    first, _, own = read(out)
    assert [p["label"] for p in first["paragraphs"]] == ["news", "caption", "news", "news", "navigation"]
    assert [p.get("kind") for p in first["paragraphs"]] == ["news", None, "news", "news", None]
    assert {p["note"] for p in first["paragraphs"]} == {"mine"}
    assert (first["weight"], first["quality"]) == (2, "good")
    assert own["paragraphs"][0] == {"text": "Ours.", "label": "caption", "kind": "caption"}


def test_people_in_conflict_leave_no_label_and_are_both_kept(client, project, out, studio, cli):
    task = tasks_of(client, project)[0]
    submit(client, task, ["news", "news", "caption", "news", None])
    submit(client, task, ["news", "caption", "caption", "fundraising", "navigation"], who=colleague(client))
    outcome = succeed(cli("labels", "pull", "--project", project, "--out", out))
    assert "in conflict: 2 paragraphs" in outcome.out
    assert f"a0, paragraph 2 ({scraped(0)['paragraphs'][1][:40]!r}): {studio.username} news, {COLLEAGUE} caption" in outcome.out
    (record,) = read(out)
    assert [p["label"] for p in record["paragraphs"]] == ["news", None, "caption", None, "navigation"]
    said = [{(one["annotator"], one["label"]) for one in p.get("annotations", ())} for p in record["paragraphs"]]
    assert said[0] == {(studio.username, "news"), (COLLEAGUE, "news")}
    assert said[1] == {(studio.username, "news"), (COLLEAGUE, "caption")}
    assert said[4] == set()
    assert record["paragraphs"][4]["annotator"] == COLLEAGUE
    assert "annotator" not in record["paragraphs"][1]
    assert load_labels([out], NEWS_LABELS, adapting=True).counts()[None] == 2


def test_a_conflict_settled_here_stays_settled_until_somebody_says_something_new(client, project, out):
    task = tasks_of(client, project)[0]
    submit(client, task, ["news"] * 5)
    number = submit(client, task, ["caption", *["news"] * 4], who=colleague(client))
    pull(project, out)
    (record,) = read(out)
    record["paragraphs"][0] |= {"label": "caption", "annotator": "majority"}
    write(out, [record])
    report = pull(project, out)
    assert (report["conflicts"], report["written"]) == ([], False)
    client._sdk.annotations.update(number, result=result(task, ["navigation", *["news"] * 4]))
    report = pull(project, out)
    assert [case["index"] for case in report["conflicts"]] == [0]
    assert labels(out) == {"a0": [None, "news", "news", "news", "news"]}


def test_people_are_named_by_number_where_that_is_asked_for_and_settlements_stay(client, project, out, studio):
    task = tasks_of(client, project)[0]
    other = colleague(client)
    submit(client, task, ["news"] * 5)
    submit(client, task, ["caption", *["news"] * 4], who=other)
    pull(project, out)
    (record,) = read(out)
    record["paragraphs"][0] |= {"label": "caption", "settled": "newest"}
    write(out, [record])
    report = pull(project, out, anonymous=True)
    assert (report["conflicts"], report["changed"], report["written"]) == ([], 0, True)
    assert labels(out) == {"a0": ["caption", "news", "news", "news", "news"]}
    assert report["annotators"] == ["user 1", f"user {other}"]
    assert "@" not in out.read_text()
    assert pull(project, out, anonymous=True)["written"] is False


def test_a_file_with_numbers_and_names_of_people_is_said(client, project, out, studio, cli):
    one, two, *_ = tasks_of(client, project)
    number = submit(client, one, ["news"] * 5)
    assert "annotators:" not in succeed(cli("labels", "pull", "--project", project, "--out", out)).out
    client._sdk.annotations.delete(number)
    submit(client, two, ["news"] * 5)
    outcome = succeed(cli("labels", "pull", "--project", project, "--out", out, "--anonymous"))
    assert f"annotators: {studio.username}, user 1: the same person" in outcome.out


def test_several_labels_of_one_person_are_unclear_and_not_guessed(client, project, out, cli):
    one, two, *_ = tasks_of(client, project)
    twice = result(one, ["news"] * 5) + [
        {**region, "id": f"q{i}"} for i, region in enumerate(result(one, ["caption", None, "news", None, None]))
    ]
    client._sdk.annotations.create(one["id"], result=twice)
    submit(client, two, ["news"] * 5)
    submit(client, two, ["news", "news", "news", "news", "caption"])
    outcome = succeed(cli("labels", "pull", "--project", project, "--out", out))
    assert labels(out) == {"a0": [None, *["news"] * 4], "a1": [*["news"] * 4, None]}
    assert "unclear: 2 paragraphs" in outcome.out


def test_labels_gone_from_the_server_stay_unless_pruned(client, project, out, cli):
    one, two, *_ = tasks_of(client, project)
    numbers = submit(client, one, ["news"] * 5), submit(client, two, ["caption"] * 5)
    pull(project, out)
    own = {"id": "own", "site": "o.example", "paragraphs": [{"text": "Ours.", "label": "caption"}]}
    write(out, [*read(out), own])
    client._sdk.annotations.delete(numbers[0])
    client._sdk.annotations.update(numbers[1], result=result(two, ["caption", None, "caption", "caption", "caption"]))
    outcome = succeed(cli("labels", "pull", "--project", project, "--out", out))
    assert "6 gone but kept (--prune drops them)" in outcome.out
    assert labels(out) == {"a0": ["news"] * 5, "a1": ["caption"] * 5, "own": ["caption"]}
    report = pull(project, out, prune=True)
    assert (report["gone"], report["pruned"]) == (6, True)
    assert labels(out) == {"a1": ["caption", None, "caption", "caption", "caption"], "own": ["caption"]}
    assert read(out)[0]["paragraphs"][1] == {"text": scraped(1)["paragraphs"][1], "label": None}


def test_an_edited_text_is_reported_and_keeps_its_label(client, project, out, cli):
    one, two, three, _ = tasks_of(client, project)
    numbers = [submit(client, task, ["news"] * 5) for task in (one, two)]
    pull(project, out)
    ours, theirs = read(out)
    ours["paragraphs"][1]["text"] = "We changed this."
    theirs["paragraphs"].pop()
    write(out, [ours, theirs])
    for number, task in zip(numbers, (one, two), strict=True):
        client._sdk.annotations.update(number, result=result(task, ["caption"] * 5))
    data = three["data"]
    data["paras"][0]["text"] = "Changed on the server."
    client._sdk.tasks.update(str(three["id"]), data=data)
    submit(client, three, ["news"] * 5)
    outcome = succeed(cli("labels", "pull", "--project", project, "--out", out))
    assert "edited: 3 articles" in outcome.out
    assert "a0: paragraphs 2\n" in outcome.out
    assert "a1: all of it\n" in outcome.out
    assert labels(out) == {"a0": ["caption", "news", "caption", "caption", "caption"], "a1": ["news"] * 4}


def test_odd_texts_come_back_whole(client, out, tmp_path):
    name = project_name()
    push([file(tmp_path, [{"id": "odd", "site": "s.example", "paragraphs": ODD}])], name, no_model=True)
    (task,) = tasks_of(client, name)
    ends = [region["value"]["endOffset"] for region in task["predictions"][0]["result"]]
    assert ends == [len(text.encode("utf-16-le")) // 2 for text in ODD]
    assert ends[0] > len(ODD[0])
    submit(client, task, ["news", "caption", "navigation", "fundraising", "caption", "news"])
    pull(name, out)
    (record,) = read(out)
    assert [p["text"] for p in record["paragraphs"]] == ODD
    assert [p["label"] for p in record["paragraphs"]] == ["news", "caption", "navigation", "fundraising", "caption", "news"]


def test_unknown_labels_and_tasks_of_others_are_left_out_and_said(client, project, out, cli):
    task = tasks_of(client, project)[0]
    regions = result(task, ["news"] * 5)
    regions[1]["value"]["paragraphlabels"] = ["weather"]
    client._sdk.annotations.create(task["id"], result=regions)
    foreign = {"title": "t", "review": "", "paras": interface.paras(["By hand."])}
    annotation = {"result": regions[:1]}
    client.import_tasks(number_of(client, project), [{"data": foreign, "annotations": [annotation]}])
    outcome = succeed(cli("labels", "pull", "--project", project, "--out", out))
    assert labels(out) == {"a0": ["news", None, "news", "news", "news"]}
    assert "unknown label: weather in 1 regions" in outcome.out
    assert "left out: 1 tasks" in outcome.out


def test_the_labels_of_doubled_tasks_are_put_together(client, project, out):
    task = tasks_of(client, project)[0]
    client.import_tasks(number_of(client, project), [{"data": task["data"]}])
    double = tasks_of(client, project)[-1]
    submit(client, task, ["news"] * 5)
    submit(client, double, ["news", *["caption"] * 4], who=colleague(client))
    report = pull(project, out)
    assert len(report["conflicts"]) == 4
    assert labels(out) == {"a0": ["news", None, None, None, None]}


def test_an_export_gives_the_same_labels_without_server_and_token(client, project, out, tmp_path, monkeypatch, cli, studio):
    for task, label in zip(tasks_of(client, project), ["news", "caption", "navigation"], strict=False):
        submit(client, task, [label, "news", None, "news", "news"])
    export = tmp_path / "export.json"
    chunks = client._sdk.projects.exports.download_sync(
        id=number_of(client, project), export_type="JSON", download_all_tasks=True
    )
    export.write_bytes(b"".join(chunks))
    pull(project, out)
    monkeypatch.delenv("LABEL_STUDIO_API_KEY")
    offline = tmp_path / "offline.jsonl"
    succeed(cli("labels", "pull", "--from-export", export, "--out", offline))
    assert labels(offline) == labels(out)
    assert [r["paragraphs"][0]["text"] for r in read(offline)] == [r["paragraphs"][0]["text"] for r in read(out)]
    assert read(offline)[0]["paragraphs"][0]["annotator"] == "user 1"
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.token)
    anonymous = tmp_path / "anonymous.jsonl"
    pull(project, anonymous, anonymous=True)
    assert read(anonymous) == read(offline)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{", "bad JSON"),
        ('{"a": 1}', "expected a list of tasks"),
        ('[{"id": 1, "paras": []}]', "expected a list of tasks"),
        (json.dumps([{"data": DATA, "annotations": [{"result": [{**REGION, "value": {}}]}]}]), "KeyError"),
        (None, "No such file"),
    ],
)
def test_a_bad_export_is_refused_in_a_line(cli, tmp_path, out, text, wanted):
    export = tmp_path / "export.json"
    if text is not None:
        export.write_text(text)
    refuse(cli("labels", "pull", "--from-export", export, "--out", out), export, wanted, "JSON-MIN")
    assert not out.exists()


@pytest.mark.parametrize("name", ["labels.txt", "pages.standoff.jsonl", "labels.json"])
def test_names_that_no_label_file_has_are_refused(cli, tmp_path, name):
    refuse(cli("labels", "pull", "--project", "any", "--out", tmp_path / name), "not the name of a label file")


@pytest.mark.parametrize("line", ["[]", '{"id": "a", "paragraphs": ["x"]}', '{"site": "x", "paragraphs": []}'])
def test_a_file_that_is_no_label_file_is_not_touched(cli, tmp_path, line):
    path = tmp_path / "other.jsonl"
    path.write_text(line + "\n")
    refuse(cli("labels", "pull", "--from-export", tmp_path / "none.json", "--out", path), f"{path}:1")
    assert path.read_text() == line + "\n"


def test_a_project_or_an_export_is_needed(cli, tmp_path):
    refuse(cli("labels", "pull", "--out", tmp_path / "x.jsonl"), "--project", "--from-export")


def test_a_missing_project_is_refused(client, cli, out):
    refuse(
        cli("labels", "pull", "--project", "nobody made it", "--out", out),
        "no projects are called 'nobody made it'",
        started=True,
    )
    assert not out.exists()


def test_the_report_as_json_has_every_case(client, project, out, cli):
    submit(client, tasks_of(client, project)[2], ["news"] * 5)
    report = json.loads(succeed(cli("labels", "pull", "--project", project, "--out", out, "--json")).out)
    assert (report["project"], report["articles"], report["new"], report["conflicts"]) == (project, 1, 5, [])
    assert ids(tasks_of(client, project))[2] == read(out)[0]["id"]
