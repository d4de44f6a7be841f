"""Reading files of clones: which clone, which names are let through to git, and what is refused."""

import os
import subprocess

import pytest
from clones import git, packed, page, publish

from trainer import checkouts
from trainer.checkouts import find, flaw, read
from trainer.errors import InputError, TrainerError

COMMIT = "0123456789abcdef" * 2 + "01234567"


@pytest.fixture
def place(tmp_path):
    """Return the folder of clones and the commit of the one clone in it."""
    return tmp_path, publish(tmp_path / "lund/pages", {"a b/é.html": page(), "a.html.gz": packed(page()), "plain.html": b"x"})


@pytest.mark.parametrize(
    ("repo", "path"),
    [("owner/name", "a.html"), ("o/n", "a/b c/é (1).html.gz"), ("o-w/.github", "..a/b..html"), ("o/n.js_2", "a:b@{1}.html")],
)
def test_sound_names_pass(repo, path):
    assert flaw(repo, COMMIT, path) == ""
    assert flaw(repo, COMMIT + "0" * 24, path) == ""


REPOS = (
    "",
    "name",
    "a/b/c",
    "/name",
    "owner/",
    "../x",
    "owner/..",
    "owner/.",
    "-o/name",
    "o/-n",
    "o/n;x",
    "o/n\n",
    "ö/n",
    "a\\b/c",
)
COMMITS = ("", "--help", "HEAD", "abc123", COMMIT.upper(), COMMIT + "\n", COMMIT + "~1", "-" + COMMIT[1:], COMMIT[:39] + "g")
PATHS = ("", "/etc/passwd", "../x", "a/../../x", "a/..", "..", ".", "./a", "a//b", "a/", "-a", "--help", "a\\b", "a\nb", "a\x00b")


@pytest.mark.parametrize("repo", REPOS)
def test_wrong_repositories_are_named(repo):
    assert "repository" in flaw(repo, COMMIT, "a.html")


@pytest.mark.parametrize("commit", COMMITS)
def test_wrong_commits_are_named(commit):
    assert "commit" in flaw("o/n", commit, "a.html")


@pytest.mark.parametrize("path", [*PATHS, "\ud800", "x" * 2000])
def test_wrong_paths_are_named(path):
    assert "path" in flaw("o/n", COMMIT, path)


def test_clones_are_found_in_the_order_of_the_documentation(tmp_path):
    for place in ("n.git", "n", "o__n", "o/n"):  # each is preferred to those before it
        (tmp_path / place).mkdir(parents=True)
        assert find(tmp_path, "o/n") != tmp_path / place  # a folder is no clone
        git(tmp_path / place, "init", "--quiet")
        assert find(tmp_path, "o/n") == tmp_path / place


@pytest.mark.parametrize("place", ["lund/other", "lund__other", "other", "lund/other.git", "lund__other.git", "other.git"])
@pytest.mark.parametrize("bare", [True, False])
def test_any_clone_is_read(place, bare, tmp_path):
    commit = publish(tmp_path / "published", {"a.html": page()})
    (tmp_path / "clones/lund").mkdir(parents=True)
    options = ["--bare"] if bare else ["--no-checkout"]
    git(tmp_path, "clone", "--quiet", *options, "published", tmp_path / "clones" / place)
    assert read(tmp_path / "clones", "lund/other", commit, "a.html") == page()


def test_files_are_read_at_their_commit_and_unpacked(place):
    folder, commit = place
    assert read(folder, "lund/pages", commit, "a b/é.html") == page()
    assert read(folder, "lund/pages", commit, "a.html.gz") == page()
    later = publish(folder / "lund/pages", {"plain.html": b"y"})
    assert read(folder, "lund/pages", commit, "plain.html") == b"x"
    assert read(folder, "lund/pages", later, "plain.html") == b"y"


def test_replaced_objects_are_not_taken(place):
    folder, commit = place
    clone = folder / "lund/pages"
    (clone / "plain.html").write_bytes(b"another")
    git(clone, "replace", f"{commit}:plain.html", git(clone, "hash-object", "-w", "plain.html"))
    assert git(clone, "cat-file", "blob", f"{commit}:plain.html") == "another"
    assert read(folder, "lund/pages", commit, "plain.html") == b"x"


def test_git_variables_of_a_hook_do_not_lead_elsewhere(place, tmp_path, monkeypatch):
    folder, commit = place
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "gone"))
    assert read(folder, "lund/pages", commit, "plain.html") == b"x"


def test_repository_around_the_clones_is_not_read(tmp_path):
    commit = publish(tmp_path, {"a.html": b"outside", "lund/pages/HEAD": b"", "lund/pages/a.html": b"inside"})
    with pytest.raises(InputError, match="lacks the commit"):
        read(tmp_path, "lund/pages", commit, "a.html")


def test_nothing_is_fetched_for_a_clone_without_blobs(place, tmp_path):
    folder, commit = place
    origin = folder / "lund/pages"
    git(origin, "config", "uploadpack.allowFilter", "true")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    (tmp_path / "thin").mkdir()
    git(tmp_path, "clone", "--quiet", "--bare", "--filter=blob:none", origin.as_uri(), tmp_path / "thin" / "pages")
    with pytest.raises(InputError, match="lacks the file"):
        read(tmp_path / "thin", "lund/pages", commit, "plain.html")
    assert git(tmp_path / "thin" / "pages", "cat-file", "blob", f"{commit}:plain.html") == "x"  # git itself would fetch it


@pytest.mark.parametrize(
    ("repo", "commit", "path", "cause"),
    [
        ("lund/none", None, "plain.html", checkouts.NO_CLONE),
        ("lund/pages", COMMIT, "plain.html", checkouts.NO_COMMIT),
        ("lund/pages", None, "gone.html", checkouts.NO_FILE),
        ("lund/pages", None, "a b", checkouts.NO_FILE),
    ],
    ids=["clone", "commit", "file", "folder"],
)
def test_what_is_not_there_is_said(place, repo, commit, path, cause):
    folder, here = place
    with pytest.raises(InputError) as caught:
        read(folder, repo, commit or here, path)
    assert caught.value.cause == cause


@pytest.mark.parametrize("data", [packed(page())[:-9], packed(page())[:5], b"no gzip", packed(b"x")[:-4] + b"0000"])
def test_files_that_do_not_unpack_are_refused(tmp_path, data):
    commit = publish(tmp_path / "o/n", {"a.gz": data})
    with pytest.raises(InputError, match="cannot be unpacked"):
        read(tmp_path, "o/n", commit, "a.gz")


def test_large_files_are_refused_packed_and_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(checkouts, "MAX_FILE", 1000)
    commit = publish(
        tmp_path / "o/n", {"a": b"x" * 1001, "b": b"x" * 1000, "c.gz": packed(b"x" * 1001), "d.gz": packed(b"x" * 1000)}
    )
    for name in "b", "d.gz":
        assert len(read(tmp_path, "o/n", commit, name)) == 1000
    for name in "a", "c.gz":
        with pytest.raises(InputError, match="more than 1,000 bytes"):
            read(tmp_path, "o/n", commit, name)


def test_without_git_it_says_so(place, monkeypatch, tmp_path):
    folder, commit = place
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(TrainerError, match="git is not installed"):
        read(folder, "lund/pages", commit, "plain.html")


def test_a_git_that_hangs_is_stopped(place, monkeypatch, tmp_path):
    folder, commit = place
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(checkouts, "TIMEOUT", 0.2)
    with pytest.raises(InputError, match="git took more than"):
        read(folder, "lund/pages", commit, "plain.html")


def test_clone_of_another_user_is_named_as_that(place, monkeypatch):
    folder, commit = place
    refusal = b"fatal: detected dubious ownership in repository"
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 128, b"", refusal))
    with pytest.raises(InputError, match="another user"):
        read(folder, "lund/pages", commit, "plain.html")
