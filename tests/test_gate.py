"""The floors of the benchmark: compared, raised, lowered with a reason alone. Nothing is trained here."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import floors
import gate
import pytest
from small import ROOT

from trainer.errors import InputError

FILE: dict[str, Any] = {
    "config": "configs/news.toml",
    "settings": [],
    "digest": "old",
    "floors": {"macro_f1": 0.68, "news_char_f1": 0.95},
    "regressions": [],
}
REASON = "harder pages"


@pytest.fixture(autouse=True)
def margins(monkeypatch: pytest.MonkeyPatch) -> None:
    """One margin for all figures, but a wide one."""
    monkeypatch.setattr(floors, "MARGIN", 0.005)
    monkeypatch.setattr(floors, "MARGINS", {"wide": 0.1})


def version(regressions: list[dict[str, Any]] | None = None, **values: float) -> dict[str, Any]:
    return {**FILE, "floors": values, "regressions": regressions or []}


def entry(reason: str = REASON, **figures: list[float | None]) -> dict[str, Any]:
    return {"date": "2024-05-01", "reason": reason, "figures": figures}


def test_figures_that_vary_more_have_a_wider_margin() -> None:
    file = {**FILE, "floors": {"wide": 0.5}}
    assert floors.propose(file, {"wide": 0.75}, "new")["floors"] == {"wide": 0.65}


def test_main_figures_are_found_in_the_benchmarks_sheets() -> None:
    def sheet(*rows: tuple[str, dict[str, float]]) -> dict[str, Any]:
        figures = [{"name": name, "figures": {key: [value, 0.0, 1.0] for key, value in found.items()}} for name, found in rows]
        return {"rows": figures}

    sheets = {
        "full page, overall": sheet(("product", {"macro_f1": 0.7, "char_f1": 0.96})),
        "full page": sheet(("news", {"f1": 0.91}), ("caption", {"f1": 0.6})),
        "residue curve": sheet(("full page", {"junk_at 0.5 %": 0.8}), ("trafilatura", {"junk_at 0.5 %": 0.3})),
        "written articles (own folds), overall": sheet(("product", {"macro_f1": 0.84})),
    }
    assert gate.main_figures(sheets) == {
        "macro_f1": 0.7,
        "news_f1": 0.91,
        "news_char_f1": 0.96,
        "junk_full_page": 0.8,
        "junk_after_trafilatura": 0.3,
        "written_macro_f1": 0.84,
    }
    assert json.loads((ROOT / "models" / "floors.json").read_text())["floors"].keys() <= gate.main_figures(sheets).keys()


# ── comparing


def test_figures_at_their_floor_pass_and_lower_ones_do_not() -> None:
    assert floors.below(FILE["floors"], {"macro_f1": 0.68, "news_char_f1": 0.99, "other": 0}) == []
    assert floors.below(FILE["floors"], {"macro_f1": 0.6799, "news_char_f1": 0.95}) == ["macro_f1"]


@pytest.mark.parametrize("measured", [{"macro_f1": 0.7}, {"macro_f1": 0.7, "news_char_f1": float("nan")}])
def test_a_figure_that_was_not_measured_is_below_its_floor(measured: dict[str, float]) -> None:
    assert floors.below(FILE["floors"], measured) == ["news_char_f1"]


def test_the_floors_of_the_repository_are_a_floors_file() -> None:
    found = floors.read(ROOT / gate.FLOORS)
    assert (ROOT / found["config"]).is_file()
    assert found["floors"]


# ── setting anew


def test_new_floors_are_the_figures_less_the_margin() -> None:
    new = floors.propose(FILE, {"macro_f1": 0.7123, "news_char_f1": 0.96, "other": 1.0}, "new")
    assert new == {**FILE, "digest": "new", "floors": {"macro_f1": 0.707, "news_char_f1": 0.955}}
    assert floors.lowered(FILE["floors"], new["floors"]) == {}


def test_floors_that_sink_or_vanish_are_named() -> None:
    new = floors.propose(FILE, {"macro_f1": 0.68}, "new")
    drops = floors.lowered(FILE["floors"], new["floors"])
    assert drops == {"macro_f1": [0.68, 0.675], "news_char_f1": [0.95, None]}
    recorded = floors.record(new, drops, REASON, "2024-05-01")
    assert recorded["regressions"] == [entry(macro_f1=[0.68, 0.675], news_char_f1=[0.95, None])]
    assert floors.parse(floors.dump(recorded), "x") == recorded
    assert FILE["regressions"] == new["regressions"] == []


# ── what changed since an earlier version


@pytest.mark.parametrize(
    ("new", "lines"),
    [
        (version(a=0.5, b=0.5), []),
        (version(a=0.6, b=0.5, c=0.1), []),
        (version(a=0.4, b=0.5), ["a sinks from 0.5 to 0.4 without an entry under regressions"]),
        (version(a=0.5), ["b vanishes (floor 0.5) without an entry under regressions"]),
        (version([entry(a=[0.5, 0.4])], a=0.4, b=0.5), []),
        (version([entry(a=[0.5, 0.4])], a=0.45, b=0.5), []),  # sunk, then raised
        (version([entry(a=[0.5, 0.4]), entry("again", a=[0.4, 0.3])], a=0.3, b=0.5), []),
        (version([entry(b=[0.5, None])], a=0.5), []),
        (version([entry(a=[0.5, 0.4])], a=0.39, b=0.5), ["a sinks from 0.5 to 0.39 without an entry under regressions"]),
        (version([entry(b=[0.5, 0.4])], a=0.4, b=0.5), ["a sinks from 0.5 to 0.4 without an entry under regressions"]),
        (version([entry(b=[0.5, 0.4])], a=0.5), ["b vanishes (floor 0.5) without an entry under regressions"]),
    ],
)
def test_a_floor_sinks_only_with_an_entry_for_it(new: dict[str, Any], lines: list[str]) -> None:
    assert floors.unexplained(version(a=0.5, b=0.5), new) == lines


def test_an_old_entry_does_not_serve_again_and_stays_on_record() -> None:
    old = version([entry(a=[0.6, 0.4])], a=0.5)
    assert floors.unexplained(old, version([entry(a=[0.6, 0.4])], a=0.45)) == [
        "a sinks from 0.5 to 0.45 without an entry under regressions"
    ]
    assert floors.unexplained(old, version(a=0.5)) == ["the regression of 2024-05-01 (harder pages) was taken out or changed"]


# ── damaged files


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("{", "is not JSON"),
        ("[]", "is not an object"),
        (json.dumps({**FILE, "floors": [1]}), "is not an object with config"),
        (json.dumps({**FILE, "floors": {"a": "0.5"}}), "the floor of a is not a number"),
        (json.dumps({**FILE, "floors": {"a": True}}), "the floor of a is not a number"),
        ('{"config": "", "settings": [], "digest": "", "floors": {"a": NaN}}', "the floor of a is not a number"),
        (json.dumps({**FILE, "regressions": {}}), "regressions is not a list"),
        (json.dumps({**FILE, "regressions": [entry(" ", a=[0.5, 0.4])]}), "regressions is not a list"),
        (json.dumps({**FILE, "regressions": [entry(a=[0.5])]}), "regressions is not a list"),
    ],
)
def test_a_damaged_floors_file_is_refused(text: str, cause: str) -> None:
    with pytest.raises(InputError, match=cause):
        floors.parse(text, "floors.json")


def test_a_file_without_regressions_has_none() -> None:
    assert floors.parse(json.dumps({k: v for k, v in FILE.items() if k != "regressions"}), "x") == FILE


# ── the script, with the measuring left out


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the floors file of a checkout whose figures are always the same."""
    monkeypatch.setattr(gate, "ROOT", tmp_path)
    monkeypatch.setattr(gate, "CORPUS", tmp_path / "pages.jsonl")
    monkeypatch.setattr(gate, "measure", lambda corpus, current: ({"macro_f1": 0.7, "news_char_f1": 0.952}, "new"))
    (tmp_path / "pages.jsonl").touch()
    (tmp_path / "models").mkdir()
    return put(tmp_path / "models" / "floors.json", FILE)


def put(path: Path, file: dict[str, Any]) -> Path:
    path.write_text(floors.dump(file))
    return path


def test_the_gate_passes_above_the_floors_and_fails_below(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gate.main([]) == 0
    put(place, version(macro_f1=0.701, gone=0.1))
    before = place.read_bytes()
    assert gate.main([]) == 1
    out = capsys.readouterr().out
    assert "macro_f1 0.700, floor 0.701  BELOW" in out
    assert "gone not measured, floor 0.100  BELOW" in out
    assert place.read_bytes() == before


def test_update_raises_floors(place: Path) -> None:
    put(place, version(macro_f1=0.5, news_char_f1=0.9))
    assert gate.main(["--update"]) == 0
    assert floors.read(place) == {**FILE, "digest": "new", "floors": {"macro_f1": 0.695, "news_char_f1": 0.947}}


def test_update_refuses_to_lower_a_floor_without_a_reason(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(place, {**FILE, "floors": {**FILE["floors"], "gone": 0.1}})
    before = place.read_bytes()
    assert gate.main(["--update"]) == 1
    out = capsys.readouterr().out
    for line in ("news_char_f1 sinks from 0.95 to 0.947", "gone vanishes (floor 0.1)", "--allow-regression", "the data differ"):
        assert line in out
    assert "macro_f1 sinks" not in out
    assert place.read_bytes() == before


def test_update_with_a_reason_lowers_and_records(place: Path) -> None:
    assert gate.main(["--update", "--allow-regression", REASON]) == 0
    found = floors.read(place)
    assert found["floors"] == {"macro_f1": 0.695, "news_char_f1": 0.947}
    (recorded,) = found["regressions"]
    assert recorded["reason"] == REASON
    assert recorded["figures"] == {"news_char_f1": [0.95, 0.947]}
    assert floors.unexplained(FILE, found) == []
    assert gate.main(["--update", "--allow-regression", "not needed"]) == 0
    assert floors.read(place) == found


@pytest.mark.parametrize(
    "argv",
    [["--allow-regression", "why"], ["--update", "--allow-regression", " "], ["--check-history", "--allow-regression", "x"]],
)
def test_a_reason_goes_with_an_update_and_says_something(
    place: Path, argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert gate.main(argv) == 2
    assert capsys.readouterr().err.startswith("gate: --allow-regression needs --update and a reason")
    assert floors.read(place) == FILE


def test_without_pages_the_gate_passes_but_sets_nothing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place.parents[1] / "pages.jsonl").unlink()
    assert gate.main([]) == 0
    assert "nothing to measure, passed" in capsys.readouterr().out
    assert gate.main(["--update"]) == gate.main(["--corpus", "gone.jsonl"]) == 2
    assert floors.read(place) == FILE


def test_a_missing_floors_file_is_one_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place.unlink()
    assert gate.main([]) == gate.main(["--check-history"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


# ── the check of the history


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def commit(path: Path, file: dict[str, Any]) -> None:
    put(path, file)
    git(path.parents[1], "add", "models")
    git(path.parents[1], "commit", "--allow-empty", "-m", "floors")


@pytest.fixture
def repository(place: Path) -> Path:
    """Return the floors file of a repository with one commit."""
    git(place.parents[1], "init")
    commit(place, FILE)
    return place


LOWER = {**FILE, "floors": {**FILE["floors"], "macro_f1": 0.6}}
ADMITTED = {**LOWER, "regressions": [entry(macro_f1=[0.68, 0.6])]}


def test_history_a_floor_lowered_by_hand_fails(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit(repository, LOWER)
    assert gate.main(["--check-history"]) == 1
    out = capsys.readouterr().out
    assert "macro_f1 sinks from 0.68 to 0.6 without an entry under regressions" in out
    assert "the commit before" in out


def test_history_a_change_that_is_not_committed_counts(repository: Path) -> None:
    commit(repository, FILE)
    put(repository, LOWER)
    assert gate.main(["--check-history"]) == 1


def test_history_a_recorded_regression_and_raised_floors_pass(repository: Path) -> None:
    commit(repository, ADMITTED)
    assert gate.main(["--check-history"]) == 0
    commit(repository, {**ADMITTED, "floors": {"macro_f1": 0.7, "news_char_f1": 0.96}})
    assert gate.main(["--check-history"]) == 0


def test_history_is_that_of_the_branch_where_there_is_one(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(repository.parents[1], "update-ref", "refs/remotes/origin/main", "HEAD")
    commit(repository, LOWER)
    commit(repository, LOWER)  # the commit before has the lower floor already
    assert gate.main(["--check-history"]) == 1
    assert "the branch point" in capsys.readouterr().out
    git(repository.parents[1], "update-ref", "refs/remotes/origin/main", "HEAD")
    assert gate.main(["--check-history"]) == 0


def test_history_that_has_no_floors_or_damaged_ones_is_not_compared(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gate.main(["--check-history"]) == 0  # there is no commit before
    repository.write_text("{")
    git(repository.parents[1], "commit", "-am", "damaged")
    commit(repository, LOWER)
    assert gate.main(["--check-history"]) == 0
    assert "is not JSON; not compared" in capsys.readouterr().out


def test_without_git_there_is_nothing_to_compare(place: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(place.parents[2]))
    assert gate.main(["--check-history"]) == 0
    monkeypatch.setenv("PATH", str(place.parent))
    assert gate.main(["--check-history"]) == 0
    assert capsys.readouterr().out.count("no git history with floors to compare with, passed") == 2
