"""Bulk runs from and to an S3 server (moto), in an environment of its own: make .extractors/s3/ready."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bulk_runs import articles, lines, outputs, run, wait_for
from small import ROOT
from studio_server import free_port, missing
from warc_files import NEWS

S3 = ROOT / ".extractors" / "s3" / "venv" / "bin"
SIZE = ("--shard-size", 30_000, "--workers", 2)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def env() -> Iterator[dict[str, str]]:
    """A server with a bucket `news`; the environment that programs find it by."""
    if not (S3 / "moto_server").exists():
        missing("An S3 server", "make .extractors/s3/ready")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [S3 / "moto_server", "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: answers(f"{address}/moto-api/"))
        yield {
            **os.environ, "PYTHONPATH": str(ROOT), "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": address,
        }  # fmt: skip
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def store(env: dict[str, str]) -> Callable[..., Any]:
    """Run code with the bucket's file system `fs`; what it leaves in `out` comes back."""

    def within(code: str, *argv: object) -> Any:
        head = "import json, sys, s3fs\nfs = s3fs.S3FileSystem()\n"
        program = f"{head}{code}\nprint(json.dumps(out))"
        done = subprocess.run(
            [S3 / "python", "-c", program, *map(str, argv)], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    within("fs.mkdir('news'); out = 0")
    return within


def bulk(env: dict[str, str], *argv: object) -> tuple[int, str]:
    command = [str(S3 / "python"), "-m", "trainer", "bulk", *map(str, argv)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def files(store: Callable[..., Any], place: str) -> dict[str, bytes]:
    """Return what lies under a place, bookkeeping aside."""
    found = store(f"out = {{name: fs.cat(name).decode('latin-1') for name in fs.find('{place}')}}")
    named = {name.removeprefix(f"{place}/"): data.encode("latin-1") for name, data in found.items()}
    return {name: data for name, data in named.items() if not name.startswith("_")}


def test_a_bucket_gives_what_a_folder_gives_and_a_second_run_goes_on(env, store, folder, tmp_path):
    for name, count in (("a.jsonl", 150), ("2026/b.jsonl", 3), ("_hidden/c.jsonl", 5)):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(lines(articles(count)))
    (tmp_path / "in" / "t.txt").write_text("\n".join(NEWS))
    assert run(tmp_path / "in", "--out", tmp_path / "out", "--model", folder, *SIZE)[0] == 0
    store("fs.put(sys.argv[1], 'news/in', recursive=True); out = 0", f"{tmp_path / 'in'}/")
    command = ("s3://news/in", "--out", "s3://news/out", "--model", folder, *SIZE)
    code, said = bulk(env, *command)
    assert code == 0, said
    assert files(store, "news/out") == outputs(tmp_path / "out")
    store("fs.rm('news/out/_done/000001.json'); fs.rm('news/out/2026/b.jsonl'); out = 0")
    code, said = bulk(env, *command)
    assert code == 0, said
    shards = len(outputs(tmp_path / "out"))
    assert f"{shards - 2} of {shards} shards were done before" in said
    assert files(store, "news/out") == outputs(tmp_path / "out")


def test_patterns_and_texts_work_on_a_bucket(env, store, folder):
    store("[fs.pipe(f'news/p/{i}/a.txt', b'A text of its own.') for i in (1, 2, 30)]; out = 0")
    code, said = bulk(env, "s3://news/p/?/*.txt", "--out", "s3://news/texts", "--to", "txt", "--model", folder)
    assert code == 0, said
    assert files(store, "news/texts") == {"1/a.txt": b"A text of its own.\n", "2/a.txt": b"A text of its own.\n"}


@pytest.mark.parametrize(
    ("given", "out", "changes", "said"),
    [("s3://news/none", "s3://news/o1", {}, "s3://news/none: no such file"),
     ("s3://nobucket/in", "s3://news/o2", {}, "s3://nobucket/in: no such file"),
     ("s3://news/one.txt", "s3://nobucket/o", {}, "s3://nobucket/o/_run.json: cannot be written"),
     ("s3://news/in", "s3://news/o4", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "cannot be reached (Could not connect"),
     ("s3://news/in", "s3://news/o5", {"AWS_ACCESS_KEY_ID": ""}, "cannot be reached (Unable to locate credentials)")],
)  # fmt: skip
def test_what_cannot_be_reached_is_said_in_a_line(env, store, folder, given, out, changes, said):
    store("fs.pipe('news/one.txt', b'One.'); out = 0")
    code, found = bulk({**env, **changes}, given, "--out", out, "--model", folder)
    assert (code, len(found.strip().splitlines())) == (2, 1), found
    assert said in found


def test_a_driver_that_is_missing_is_named(folder, tmp_path):
    code, said = run("gs://news/in", "--out", tmp_path / "out", "--model", folder)
    assert code == 2
    assert "what opens such URLs is not installed. Please install gcsfs" in said


def test_a_file_is_read_from_a_web_server(folder, tmp_path):
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "a.jsonl").write_bytes(lines(articles(3000)))  # more than is read at once; this server gives no parts
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "http.server", "-b", "127.0.0.1", "-d", str(tmp_path / "www"), str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: answers(address))
        code, said = run(f"{address}/a.jsonl", "--out", tmp_path / "out", "--model", folder, "--shard-size", 1_000_000)
        assert code == 0, said
        assert "3,000 articles" in said
        code, said = run(f"{address}/none.jsonl", "--out", tmp_path / "out2", "--model", folder)
        assert code == 2
        assert "none.jsonl: no such file" in said
    finally:
        server.terminate()
        server.wait()
