"""`trainer filter`: the options that say how much goes, how text is split, and what is shown of it."""

import json

import numpy as np
from commands import read, refuse, succeed
from hypothesis import given, settings
from hypothesis import strategies as st
from small import records, write
from strategies import texts as odd_texts

from trainer import artifact
from trainer.explain import explain

HARD_WRAPPED = "\n".join(
    [
        "The council voted on Monday to close the old bridge for the winter, and",
        "it will hold a hearing on the repairs before the end of the month, when",
        "the county is to say what it can pay. Residents who spoke at the meeting",
        "asked for a ferry in the meantime, which the mayor called too expensive",
        "for a town of its size, though she promised to look at the figures again",
        "",
        "A second paragraph follows after a blank line and is wrapped as well, so",
        "that the column can be told from the lines themselves, as in old archives",
        "of wire copy, which were broken at a fixed number of characters per line.",
    ]
)


def test_max_removed_share_bounds_what_goes(cli, folder, source):
    shares = {}
    for most in ("0", "0.05", "1"):
        result = succeed(cli("filter", source, "--model", folder, "--out", "-", "--max-removed-share", most))
        found = [json.loads(line)["filter"] for line in result.out.splitlines()]
        assert all(item["removed_share"] <= float(most) + 1e-9 for item in found)
        shares[most] = sum(item["removed_share"] for item in found)
        if most == "0.05":
            assert any("max_removed_share" in item["flags"] for item in found)
            assert "flag max_removed_share in" in result.err
    assert 0 == shares["0"] < shares["0.05"] < shares["1"]


def test_article_of_residue_alone_stays_unless_it_may_go(cli, tiny, tmp_path):
    strict = tiny.policy._replace(thresholds=tuple(0.0 if t < 1 else t for t in tiny.policy.thresholds), headline=0)
    folder = artifact.save(tmp_path / "strict", tiny.network, tiny.labels, strict, {})
    model = artifact.load(folder)
    junk = [p["text"] for item in records() for p in item["paragraphs"] if p["label"] == "fundraising"]
    text = next(t for t in ("\n".join([one] * 5) for one in junk) if model.filter(t, allow_empty=True).removed_share == 1)
    path = write(tmp_path / "in.jsonl", [{"id": "a", "text": text}])
    kept = json.loads(succeed(cli("filter", path, "--model", folder, "--out", "-")).out)
    gone = json.loads(succeed(cli("filter", path, "--model", folder, "--out", "-", "--allow-empty")).out)
    assert (kept["text"], kept["filter"]["flags"]) == (text, ["empty"])
    assert (gone["text"], gone["filter"]["removed_share"]) == ("", 1)


def test_wrap_says_what_becomes_of_hard_wrapped_text(cli, folder, tmp_path):
    path = tmp_path / "x.txt"
    path.write_text(HARD_WRAPPED)
    count = {}
    for wrap in ("auto", "never", "always"):
        result = succeed(cli("filter", path, "--model", folder, "--out", "-", "--paragraphs", "--wrap", wrap))
        count[wrap] = len(json.loads(result.out)["paragraphs"])
    assert count == {"auto": 2, "never": 8, "always": 2}


def test_diff_shows_kept_and_removed(cli, folder, tiny, source, scraped):
    result = succeed(cli("filter", source, "--model", folder, "--diff"))
    lines = [line for line in result.out.split("\n") if line]
    for item in scraped:
        filtered = tiny.filter(item["text"])
        at = next(i for i, line in enumerate(lines) if line.startswith(f"{item['id']} ─"))
        shown = lines[at + 1 : at + 1 + len(filtered.paragraphs)]
        for line, paragraph, keep in zip(shown, filtered.paragraphs, filtered.keep, strict=True):
            assert line.startswith("  " if keep else "- [")
            assert line.endswith(
                "".join(c if c.isprintable() else " " if c.isspace() else ascii(c)[1:-1] for c in paragraph.text)
            )
    assert "\x1b" not in result.out


def test_diff_also_comes_with_records_in_a_file(cli, folder, source, scraped, tmp_path):
    result = succeed(cli("filter", source, "--model", folder, "--diff", "--out", tmp_path / "o.jsonl"))
    assert "- [" in result.out
    assert len(read(tmp_path / "o.jsonl")) == len(scraped)


def test_records_on_standard_output_stay_readable_with_diff_or_are_refused(cli, folder, source):
    result = cli("filter", source, "--model", folder, "--diff", "--out", "-")
    if result.code:
        refuse(result)
    else:
        for line in result.out.splitlines():
            json.loads(line)


def test_diff_shows_what_would_steer_a_terminal_as_text(cli, folder, tmp_path):
    path = write(tmp_path / "in.jsonl", [{"id": "\x1b[31m[bold]id", "text": "A \x1b]0;x\x07 line [red]with[/red] [/x] marks."}])
    for flags in (["--diff"], ["--explain"]):
        result = succeed(cli("filter", path, "--model", folder, *flags))
        assert "\x1b" not in result.out
        assert r"\x1b[31m[bold]id" in result.out


def test_explain_says_why(cli, folder, source, scraped, tiny, tmp_path):
    result = succeed(cli("filter", source, "--model", folder, "--explain"))
    for wanted in ("words", "characters", "shape", "context"):
        assert wanted in result.out
    succeed(cli("filter", source, "--model", folder, "--explain", "--out", tmp_path / "o.jsonl"))
    reasons = [removed["explanation"] for record in read(tmp_path / "o.jsonl") for removed in record["removed"]]
    assert len(reasons) == sum(len(tiny.filter(item["text"]).removed) for item in scraped)
    for reason in reasons:
        assert set(reason) == {"log_odds", "words", "characters", "shape", "context"}
        assert all(set(reason[name]) == {"contribution", "strongest"} for name in reason if name != "log_odds")
        assert reason["log_odds"] > 0


def test_explain_and_diff_go_together(cli, folder, source):
    result = succeed(cli("filter", source, "--model", folder, "--explain", "--diff"))
    assert "- [" in result.out
    assert "words" in result.out


@given(st.lists(odd_texts, min_size=1, max_size=5))
@settings(max_examples=25)
def test_every_text_can_be_explained(tiny, paragraphs):
    found = explain(tiny, paragraphs, range(len(paragraphs)))
    assert [item.index for item in found] == list(range(len(paragraphs)))
    probability = tiny.predict_proba([paragraphs])
    assert [item.label for item in found] == [tiny.labels.names[k] for k in probability.argmax(axis=1)]
    assert all(np.isfinite([item.log_odds, *(group.contribution for group in item.groups)]).all() for item in found)
