"""How the commands find a Label Studio, and what they say where they find none."""

from __future__ import annotations

import http.server
import re
import threading

import pytest
from commands import refuse, spawn, succeed
from labelling import file, project_name, scraped, tasks_of, use
from studio_server import free_port

from trainer.studio.client import Client, connect

WRONG = "f" * 40


@pytest.fixture
def source(tmp_path):
    """A file of two articles."""
    return file(tmp_path, map(scraped, range(2)))


@pytest.fixture
def push(cli, source, monkeypatch):
    """Push the articles with the environment and the options given."""

    def run(*options, **environ):
        for name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        return cli("labels", "push", source, "--project", project_name(), *options)

    return run


@pytest.fixture(scope="module")
def personal(studio):
    """A personal access token, made as the account page makes it."""
    import httpx

    with httpx.Client(base_url=studio.url, follow_redirects=True) as session:
        form = session.get("/user/login/").text
        csrf = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)[1]
        account = {"csrfmiddlewaretoken": csrf, "email": studio.username, "password": studio.password}
        session.post("/user/login/", data=account, headers={"Referer": studio.url})
        headers = {"X-CSRFToken": session.cookies["csrftoken"], "Referer": studio.url}
        settings = {"api_tokens_enabled": True, "legacy_api_tokens_enabled": True}
        session.post("/api/jwt/settings", json=settings, headers=headers).raise_for_status()
        return session.post("/api/token/", headers=headers).raise_for_status().json()["token"]


def test_the_address_and_the_token_come_from_the_environment_or_from_options(push, studio, tmp_path):
    token = tmp_path / "token"
    token.write_text(f"{studio.token}\n")
    succeed(push(LABEL_STUDIO_URL=studio.url, LABEL_STUDIO_API_KEY=studio.token))
    succeed(push("--url", f"{studio.url}/", "--token-file", token))
    succeed(push("--url", studio.url, "--token-file", token, LABEL_STUDIO_URL="http://127.0.0.1:9", LABEL_STUDIO_API_KEY=WRONG))


def test_a_personal_token_works(push, studio, personal):
    outcome = succeed(push(LABEL_STUDIO_URL=studio.url, LABEL_STUDIO_API_KEY=personal))
    assert "2 of 2 articles are new" in outcome.out


def test_a_wrong_token_is_refused_with_where_to_get_one(push, studio, personal):
    for token in (WRONG, personal[:-4] + "AAAA", "nonsense"):
        outcome = push(LABEL_STUDIO_URL=studio.url, LABEL_STUDIO_API_KEY=token)
        line = refuse(outcome, studio.url, "the token is refused", "Account & Settings", "LABEL_STUDIO_API_KEY")
        assert token not in line


def test_a_missing_token_is_said(push, tmp_path):
    refuse(push(), "no token for Label Studio", "LABEL_STUDIO_API_KEY", "--token-file")
    refuse(push("--token-file", tmp_path / "none"), tmp_path / "none", "No such file")


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "tökén", "tab\there"])
def test_a_token_that_cannot_be_one_is_not_shown(push, token):
    line = refuse(push(LABEL_STUDIO_API_KEY=token), "characters that no token has")
    assert token not in line


def test_no_server_is_said_at_once_with_how_to_start_one(push):
    address = f"http://127.0.0.1:{free_port()}"
    refuse(push(LABEL_STUDIO_URL=address, LABEL_STUDIO_API_KEY=WRONG), address, "no Label Studio answers", "trainer studio up")


@pytest.mark.parametrize("address", ["localhost:8080", "ftp://127.0.0.1", "http://", "/some/path"])
def test_an_address_that_is_none_is_refused(push, address):
    refuse(push("--url", address, LABEL_STUDIO_API_KEY=WRONG), address, "not the address of a server", "--url")


def test_name_and_password_in_the_address_are_not_shown(push):
    outcome = push("--url", f"http://me:hush@127.0.0.1:{free_port()}", LABEL_STUDIO_API_KEY=WRONG)
    assert "hush" not in refuse(outcome, "no Label Studio answers")


class _Elsewhere(http.server.BaseHTTPRequestHandler):
    """Another program's server: a page, or a way to another address."""

    def do_GET(self):
        moved = self.path.startswith("/moved")
        self.send_response(308 if moved else 200)
        if moved:
            self.send_header("Location", "https://studio.example/")
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><html><body>Welcome to the router</body></html>")

    def log_message(self, *arguments):
        pass


@pytest.fixture
def elsewhere():
    """The address of a server that is no Label Studio."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere) as other:
        threading.Thread(target=other.serve_forever).start()
        yield f"http://127.0.0.1:{other.server_port}"
        other.shutdown()


def test_another_program_is_not_taken_for_label_studio(push, elsewhere):
    outcome = push(LABEL_STUDIO_URL=elsewhere, LABEL_STUDIO_API_KEY=WRONG)
    assert "Welcome" not in refuse(outcome, "does not answer as Label Studio does", "--url")


def test_a_moved_server_is_named(push, elsewhere):
    refuse(push(LABEL_STUDIO_URL=f"{elsewhere}/moved", LABEL_STUDIO_API_KEY=WRONG), "redirects to https://studio.example/")


def test_a_file_that_is_no_guide_is_said(push, studio, tmp_path):
    outcome = push("--guidelines", tmp_path / "none.md", LABEL_STUDIO_URL=studio.url, LABEL_STUDIO_API_KEY=studio.token)
    refuse(outcome, "none.md", "guidelines cannot be read")


@pytest.mark.parametrize("name", ["ab", "x" * 51])
def test_a_name_that_label_studio_would_refuse_is_refused(cli, studio, source, monkeypatch, name):
    with use(studio, monkeypatch):
        refuse(cli("labels", "push", source, "--project", name), "a project's name has 3 to 50 characters", started=True)


def test_two_projects_of_one_name_are_not_guessed_between(cli, studio, source, monkeypatch):
    name = project_name()
    with use(studio, monkeypatch) as client:
        client.create_project(title=name)
        client.create_project(title=name)
        refuse(cli("labels", "push", source, "--project", name), "2 projects are called", "Rename one", started=True)
        refuse(
            cli("labels", "pull", "--project", name, "--out", source.parent / "x.jsonl"), "2 projects are called", started=True
        )


def test_the_token_is_in_no_output_and_no_file(studio, source, tmp_path, monkeypatch):
    name = project_name()
    found = []
    for arguments in (
        ("push", source, "--project", name, "--json"),
        ("pull", "--project", name, "--out", tmp_path / "out.jsonl"),
        ("push", source, "--project", name, "--url", f"http://127.0.0.1:{free_port()}"),
        ("push", source, "--project", name, "--url", studio.url, "--model", tmp_path / "none"),
        ("push", "--help"),
    ):
        environ = {"LABEL_STUDIO_URL": studio.url, "LABEL_STUDIO_API_KEY": studio.token, "HOME": str(tmp_path)}
        found.append(spawn("labels", *arguments, cwd=tmp_path, **environ))
    assert [outcome.code for outcome in found] == [0, 0, 2, 2, 0]
    assert not any(studio.token in outcome.out + outcome.err for outcome in found)
    assert not any(studio.token in path.read_text("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file())
    with use(studio, monkeypatch), connect() as client:
        assert studio.token not in repr(client)
        assert studio.token not in str(tasks_of(client, name))


def test_what_the_server_repeats_of_the_token_is_hidden():
    with Client("http://127.0.0.1:9", WRONG) as client:
        assert WRONG not in client._shown(f"you sent {WRONG}")
