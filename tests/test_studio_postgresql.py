"""Label Studio on a real PostgreSQL instead of its SQLite file."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from studio_server import EXECUTABLE, Studio, free_port, missing

from trainer.studio import server


def as_user() -> dict[str, Any]:
    """PostgreSQL does not run as root."""
    return {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}


@pytest.fixture
def database() -> Iterator[dict[str, str]]:
    """An empty database, as the settings that Label Studio reads."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        missing("PostgreSQL", "apt-get install postgresql")
    programs = found[-1].parent
    place = Path(tempfile.mkdtemp(prefix="postgresql-"))  # not one of pytest's, which nobody else may enter
    port = str(free_port())
    (place / "db").mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(place, **as_user())
        shutil.chown(place / "db", **as_user())

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=place, **as_user())

    run("initdb", "--pgdata=db", "--username=postgres", "--auth=trust")
    run(
        "pg_ctl",
        "--pgdata=db",
        "--wait",
        "--log=log",
        f"--options=-p {port} -k {place} -c listen_addresses={server.HOST}",
        "start",
    )
    yield {
        "DJANGO_DB": "default", "POSTGRE_HOST": server.HOST, "POSTGRE_PORT": port, "POSTGRE_NAME": "postgres",
        "POSTGRE_USER": "postgres", "POSTGRE_PASSWORD": "none-is-asked-for",
    }  # fmt: skip
    run("pg_ctl", "--pgdata=db", "--wait", "--mode=immediate", "stop")
    shutil.rmtree(place)


@pytest.mark.xdist_group("own-studio")
def test_a_database_of_postgresql_is_used_where_the_environment_names_one(database, tmp_path):
    if not EXECUTABLE.exists():
        missing("Label Studio", "make .studio/venv/ready")
    studio = Studio(tmp_path / "data", **database)
    try:
        assert server.accounts(studio.data, studio.environ) == []
        studio.start()
        assert studio.ask("GET", "/api/current-user/whoami")["email"] == studio.username
        studio.ask("POST", "/api/projects/", json={"title": "harbour"})
        assert server.accounts(studio.data, studio.environ) is None
    finally:
        studio.stop()
    assert not (studio.data / server.DATABASE).exists()
    studio = Studio(studio.data, **database)
    try:
        studio.start()
        assert [project["title"] for project in studio.ask("GET", "/api/projects/")["results"]] == ["harbour"]
    finally:
        studio.stop()
