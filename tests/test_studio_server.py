"""`trainer studio`: a real Label Studio started, found again and stopped, and what goes wrong on the way."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from commands import refuse, spawn, succeed
from small import ROOT
from studio_server import ACCOUNT, EXECUTABLE, free_port

from trainer.cli.studio.up import up
from trainer.errors import InputError
from trainer.studio import server

PASSWORD, TOKEN = "another-password-of-the-tests", "f" * 20 + "0" * 20


def run(*argv, **env):
    """Run a command of `trainer studio` in a process of its own, without the account settings of this machine."""
    unset = dict.fromkeys(("LABEL_STUDIO_API_KEY", "LABEL_STUDIO_USERNAME", "LABEL_STUDIO_PASSWORD"), "")
    return spawn("studio", *argv, **{**unset, **env})


def script(path: Path, lines: str) -> Path:
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return path


def sign_in(url: str, username: str, password: str) -> bool:
    import httpx

    with httpx.Client(base_url=url, follow_redirects=True) as browser:
        page = browser.get("/user/login/").text
        fields = {"csrfmiddlewaretoken": re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page).group(1)}
        browser.post("/user/login/", data={**fields, "email": username, "password": password}, headers={"Referer": url})
        return browser.get("/api/current-user/whoami").status_code == 200


def test_the_server_of_the_tests_answers(studio):
    assert studio.ask("GET", "/api/current-user/whoami")["email"] == studio.username


def test_up_status_and_down_with_a_new_account(studio_data):
    port = free_port()
    where = "--data", studio_data
    secrets = {"LABEL_STUDIO_PASSWORD": PASSWORD, "LABEL_STUDIO_API_KEY": TOKEN, "DEBUG": "true"}
    started = succeed(run("up", *where, "--executable", EXECUTABLE, "--port", port, "--username", "Ann@example.com", **secrets))
    try:
        url = f"http://127.0.0.1:{port}"
        assert f"up: {url} (process " in started.out
        assert f"{url}/user/account" not in started.out
        assert "sign in: ann@example.com" in started.out
        assert "token: accepted" in started.out
        assert "1 news, 2 fundraising, 3 navigation, 4 caption" in started.out

        found = json.loads(succeed(run("status", *where, "--json")).out)
        assert (found["state"], found["url"]) == ("up", url)
        process = psutil.Process(found["pid"])
        assert {(c.laddr.ip, c.laddr.port) for c in process.net_connections() if c.status == psutil.CONN_LISTEN} == {
            ("127.0.0.1", port)
        }
        assert os.getsid(found["pid"]) == found["pid"]

        again = succeed(
            run("up", *where, "--executable", EXECUTABLE, "--port", free_port(), "--json", LABEL_STUDIO_API_KEY=TOKEN)
        )
        report = json.loads(again.out)
        assert (report["new"], report["url"], report["pid"]) == (False, url, found["pid"])
        assert report["accounts"] == [ACCOUNT.username, "ann@example.com"]
        assert report["token"] == "accepted"
        assert sign_in(url, "ann@example.com", PASSWORD)
        assert not sign_in(url, "ann@example.com", ACCOUNT.password)

        ours = [studio_data / server.LOG, studio_data / server.STATE]
        said = [started, again, *(path.read_text() for path in ours)]
        assert not [text for text in map(str, said) if PASSWORD in text or TOKEN in text]

        stopped = succeed(run("down", *where))
        assert f"stopped {url} (process {found['pid']})" in stopped.out
        assert not process.is_running()
    finally:
        server.stop(studio_data)
    assert "no Label Studio was running" in succeed(run("down", *where)).out
    result = run("status", *where)
    assert (result.code, result.out.partition(":")[0]) == (1, "down")


def test_a_running_server_is_not_started_again(studio):
    result = succeed(run("up", "--data", studio.data, "--executable", EXECUTABLE))
    assert f"already up: {studio.url}" in result.out
    assert f"create a personal access token at {studio.url}/user/account " in result.out


def test_no_account_is_made_while_the_server_runs(studio):
    assert run("up", "--data", studio.data, "--username", studio.username.upper()).code == 0
    refuse(run("up", "--data", studio.data, "--username", "new@example.com"), "new@example.com", "trainer studio down")


def test_a_token_that_the_server_does_not_take_is_said(studio):
    result = succeed(run("up", "--data", studio.data, LABEL_STUDIO_API_KEY=TOKEN))
    assert "token: refused" in result.out
    assert TOKEN not in result.out + result.err


def test_a_server_that_does_not_answer_is_unhealthy(studio):
    process = psutil.Process(server.find(studio.data).pid)
    process.suspend()
    try:
        result = run("status", "--data", studio.data)
        assert (result.code, result.out.partition(":")[0]) == (1, "unhealthy")
        refuse(run("up", "--data", studio.data), "does not answer", "trainer studio down")
    finally:
        process.resume()
    assert run("status", "--data", studio.data).code == 0


def test_the_answer_of_another_server_is_not_taken_for_ours(studio, studio_data, monkeypatch):
    monkeypatch.setattr(server, "check_port", lambda port: None)
    with pytest.raises(InputError, match="another program answers there"):
        server.start(EXECUTABLE, studio_data, studio.port)
    assert server.status(studio_data) == ("down", None)
    assert not (studio_data / server.STATE).exists()


def test_a_busy_port_is_refused(studio_data):
    with socket.create_server((server.HOST, 0)) as taken:
        port = taken.getsockname()[1]
        refuse(run("up", "--data", studio_data, "--executable", EXECUTABLE, "--port", port), f"port {port}", "--port")


@pytest.mark.parametrize("password_of", ["terminal", "environment"])
def test_an_interrupted_start_stops_the_server_and_shows_no_password(tmp_path, password_of, studio):
    data = tmp_path / "data"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "LABEL_STUDIO_API_KEY": TOKEN, "LABEL_STUDIO_PASSWORD": PASSWORD}
    if password_of == "terminal":
        env.pop("LABEL_STUDIO_PASSWORD")
    terminal, end = pty.openpty()
    arguments = [
        "up",
        "--data",
        str(data),
        "--executable",
        str(EXECUTABLE),
        "--port",
        str(free_port()),
        "--username",
        "a@b.example",
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "trainer", "studio", *arguments],
        stdin=end, stdout=end, stderr=end, env=env, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            os.close(end)
            said = b""
            while b"starting Label Studio" not in said:
                said += os.read(terminal, 1000)
                if said.endswith((b"password: ", b"confirmation: ")):
                    os.write(terminal, f"{PASSWORD}\n".encode())
                    said += b"|"
            while not (data / server.STATE).exists() or not (data / server.STATE).read_text():
                time.sleep(0.05)
            started = psutil.Process(server.find(data).pid)
            time.sleep(1)
            assert started.is_running()
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        finally:
            process.kill()
    try:
        while chunk := os.read(terminal, 1000):
            said += chunk
    except OSError:  # the other end is closed
        pass
    os.close(terminal)
    assert not started.is_running()
    assert not (data / server.STATE).exists()
    assert b"Traceback" not in said
    assert PASSWORD.encode() not in said
    assert PASSWORD not in (data / server.LOG).read_text()


# ── without a server


@pytest.fixture
def environ(monkeypatch):
    """Take the account settings of this machine away."""
    for name in (*server.ACCOUNT_SETTINGS, "API_KEY", "DATABASE_NAME", "DJANGO_DB"):
        monkeypatch.delenv(f"LABEL_STUDIO_{name}", raising=False)
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LABEL_STUDIO_PASSWORD", PASSWORD)
    return monkeypatch


def test_without_label_studio_the_error_says_how_to_get_it(cli, tmp_path, environ):
    line = refuse(cli("studio", "up", "--data", tmp_path / "d", "--venv", tmp_path / "v"), "not installed", "0.8 GB")
    assert f"trainer studio up --install --venv {tmp_path / 'v'}" in line


def test_label_studio_is_not_installed_into_the_toolkits_own_environment(cli, tmp_path, environ):
    place = ("--data", tmp_path / "d", "--venv", sys.prefix, "--port", free_port())
    refuse(cli("studio", "up", *place, "--install"), "--venv", started=True)


def test_a_failed_installation_leaves_nothing(cli, tmp_path, environ):
    environ.setenv("PIP_NO_INDEX", "1")
    environ.delenv("PIP_FIND_LINKS", raising=False)
    environ.setenv("PIP_CONFIG_FILE", os.devnull)
    place = ("--data", tmp_path / "d", "--venv", tmp_path / "v", "--port", free_port())
    result = cli("studio", "up", *place, "--install")
    assert "-m pip install" in refuse(result, "could not be installed", started=True)
    assert list(tmp_path.iterdir()) == []


def test_what_is_asked_for_is_asked_before_the_long_installation(cli, tmp_path, environ):
    place = ("--data", tmp_path / "d", "--venv", tmp_path / "v")
    with socket.create_server((server.HOST, 0)) as taken:
        port = taken.getsockname()[1]
        refuse(cli("studio", "up", *place, "--port", port, "--install"), f"port {port}", "--port")
    environ.delenv("LABEL_STUDIO_PASSWORD")
    refuse(cli("studio", "up", *place, "--port", free_port(), "--install"), "LABEL_STUDIO_PASSWORD")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("executable", ["no-such-command", __file__, "/"])
def test_an_executable_that_is_none_is_refused(cli, tmp_path, environ, executable):
    refuse(cli("studio", "up", "--data", tmp_path / "d", "--executable", executable), executable, "--executable")
    assert not (tmp_path / "d").exists()


def test_an_executable_that_is_not_label_studio_is_refused_with_its_last_words(tmp_path, environ):
    wrong = script(tmp_path / "wrong", "echo first; echo no such option >&2; exit 3")
    with pytest.raises(InputError, match=r"code 3 .* no such option\. Its log: .*server.log"):
        up(tmp_path / "d", free_port(), executable=str(wrong))
    assert not (tmp_path / "d" / server.STATE).exists()


def test_a_file_without_a_program_in_it_is_refused(tmp_path, environ):
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o755)
    with pytest.raises(InputError, match="cannot be run"):
        up(tmp_path / "d", free_port(), executable=str(tmp_path / "text"))


def test_a_start_that_takes_too_long_is_stopped_by_force(tmp_path, environ):
    environ.setattr(server, "STOP_SECONDS", 0.5)
    slow = script(tmp_path / "slow", f"trap '' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 1; done")
    with pytest.raises(InputError, match=r"did not answer within 1 s, and was stopped.*--wait"):
        up(tmp_path / "d", free_port(), executable=str(slow), wait=1)
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))
    assert not (tmp_path / "d" / server.STATE).exists()


def test_a_password_is_needed_where_nobody_can_be_asked(tmp_path):
    arguments = "up", "--data", tmp_path / "d", "--executable", "true", "--port", free_port(), "--username", "a@b.example"
    refuse(run(*arguments), "a@b.example", "LABEL_STUDIO_PASSWORD")
    assert not (tmp_path / "d").exists()


def test_a_recycled_process_number_is_left_alone(cli, tmp_path):
    with subprocess.Popen(["sleep", "60"]) as other:
        note = {"pid": other.pid, "port": free_port(), "run": "0" * 16, "started": "2026-01-01T00:00:00+00:00"}
        (tmp_path / server.STATE).write_text(json.dumps(note))
        assert cli("studio", "status", "--data", tmp_path).out.startswith("down")
        assert "no Label Studio was running" in succeed(cli("studio", "down", "--data", tmp_path)).out
        assert other.poll() is None
        other.kill()
    assert not (tmp_path / server.STATE).exists()


def test_a_note_of_a_server_that_has_ended_is_no_obstacle(tmp_path, environ):
    with subprocess.Popen(["true"]) as ended:
        pass
    note = {"pid": ended.pid, "port": free_port(), "run": "0" * 16, "started": "2026-01-01T00:00:00+00:00"}
    (tmp_path / server.STATE).write_text(json.dumps(note))
    with pytest.raises(InputError, match="ended with code 1"):
        up(tmp_path, free_port(), executable="false")
    assert not (tmp_path / server.STATE).exists()


@pytest.mark.parametrize("command", ["status", "down", "up"])
@pytest.mark.parametrize("note", ["", "[1]", '{"pid": 1}', '{"pid": "x", "port": 1, "run": "", "started": ""}'])
def test_a_damaged_note_is_said(cli, tmp_path, command, note):
    (tmp_path / server.STATE).write_text(note)
    refuse(cli("studio", command, "--data", tmp_path), server.STATE, "remove the file")


def test_settings_for_label_studio_pass_and_those_for_others_do_not_reach_it(tmp_path):
    given = {
        "LABEL_STUDIO_COLLECT_ANALYTICS": "true", "POSTGRE_HOST": "db", "PASSWORD": "x", "LABEL_STUDIO_USERNAME": "u",
        "LABEL_STUDIO_API_KEY": TOKEN,
    }  # fmt: skip
    made = server.environment(tmp_path, None, given)
    assert made["LABEL_STUDIO_COLLECT_ANALYTICS"] == "true"
    assert made["LABEL_STUDIO_DEBUG"] == made["LABEL_STUDIO_LATEST_VERSION_CHECK"] == "false"
    assert made["POSTGRE_HOST"] == "db"
    assert not {"PASSWORD", "LABEL_STUDIO_USERNAME", "LABEL_STUDIO_API_KEY"} & set(made)


def test_accounts_of_a_database_elsewhere_are_not_known_after_its_first_start(tmp_path):
    environ = {"DJANGO_DB": "default"}
    assert server.accounts(tmp_path, environ) == []
    (tmp_path / ".env").touch()
    assert server.accounts(tmp_path, environ) is None


def test_an_account_asked_for_is_made_in_a_database_elsewhere_too(cli, tmp_path, environ):
    environ.setenv("DJANGO_DB", "default")
    environ.delenv("LABEL_STUDIO_PASSWORD")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / ".env").touch()  # of an earlier start, on another database
    place = ("--data", tmp_path / "d", "--executable", "true", "--port", free_port())
    refuse(cli("studio", "up", *place, "--username", "you@example.com"), "you@example.com", "LABEL_STUDIO_PASSWORD")


def test_no_account_shows_its_secrets():
    assert ACCOUNT.password not in repr(ACCOUNT)
    assert ACCOUNT.token not in repr(ACCOUNT)
