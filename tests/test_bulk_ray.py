"""`trainer bulk --engine ray` on a real Ray: a cluster of two nodes on this machine, and one that the command starts itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from bulk_runs import articles, finish, lines, outputs, run, start, wait_for

from trainer.bulk import ray_engine

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'paragraph-trainer[ray]'")

pytestmark = [
    pytest.mark.xdist_group("ray"),  # one cluster for all
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning:ray"),
]
SHARDS, SHARD_BYTES = 24, 100_000


@pytest.fixture(scope="module")
def cluster() -> Iterator[object]:
    """Run two nodes of one core each."""
    from ray.cluster_utils import Cluster

    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0"}
    node = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80 << 20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=node)
    made.add_node(num_cpus=1, num_gpus=0, object_store_memory=80 << 20)
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write one file that is cut into many shards."""
    path = tmp_path_factory.mktemp("ray") / "in.jsonl"
    path.write_bytes(lines(articles(SHARDS * 40)))
    return path


@pytest.fixture(scope="module")
def expected(source, model_folder, tmp_path_factory) -> dict[str, bytes]:
    """Return what the local engine makes of it."""
    out = tmp_path_factory.mktemp("local") / "out"
    code, said = run(*arguments(source, out, model_folder))
    assert code == 0, said
    return outputs(out)


def arguments(source: Path, out: Path, model: Path, *more: object) -> list[object]:
    return [source, "--out", out, "--model", model, "--shard-size", SHARD_BYTES, *more]


def on(cluster: object) -> tuple[str, ...]:
    return "--engine", "ray", "--address", cluster.address


def done(out: Path) -> int:
    """Return how many shards are done."""
    return len(list((out / "_done").glob("*.json")))


def at_work() -> list[psutil.Process]:
    """Return the processes that do tasks at this moment."""
    return [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] and p.info["cmdline"][0].startswith("ray::work")]


def test_a_ray_of_its_own_gives_the_bytes_of_the_local_engine(source, model_folder, expected, tmp_path):
    code, said = run(*arguments(source, tmp_path / "out", model_folder, "--engine", "ray", "--workers", 2))
    assert code == 0, said
    assert outputs(tmp_path / "out") == expected


def test_a_cluster_is_sent_the_model_and_survives_a_lost_worker(cluster, source, model_folder, expected, tmp_path):
    process = start(*arguments(source, tmp_path / "out", model_folder, *on(cluster)))
    (victim, *_) = wait_for(lambda: done(tmp_path / "out") and at_work())
    victim.kill()
    code, said = finish(process)
    assert code == 0, said
    assert outputs(tmp_path / "out") == expected


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_a_stopped_run_goes_on_where_it_was(cluster, source, model_folder, expected, tmp_path, number, code):
    process = start(*arguments(source, tmp_path / "out", model_folder, *on(cluster)))
    wait_for(lambda: done(tmp_path / "out") > 1)
    process.send_signal(number)
    ended, said = finish(process)
    assert ended == code, said
    assert ("the same command goes on" in said) == (number != signal.SIGKILL)
    assert done(tmp_path / "out") < SHARDS
    code, said = run(*arguments(source, tmp_path / "out", model_folder, *on(cluster)))
    assert code == 0, said
    assert "shards were done before" in said
    assert outputs(tmp_path / "out") == expected


def test_a_lost_node_does_not_end_the_run(cluster, source, model_folder, expected, tmp_path):
    node = cluster.add_node(num_cpus=1, num_gpus=0, object_store_memory=80 << 20)
    process = start(*arguments(source, tmp_path / "out", model_folder, *on(cluster)))
    wait_for(lambda: done(tmp_path / "out"))
    cluster.remove_node(node, allow_graceful=False)
    code, said = finish(process)
    assert code == 0, said
    assert outputs(tmp_path / "out") == expected


def test_where_no_cluster_is_it_is_said(source, model_folder, tmp_path):
    code, said = run(*arguments(source, tmp_path / "out", model_folder, "--engine", "ray", "--address", "127.0.0.1:1"))
    assert code == 2
    assert "trainer: 127.0.0.1:1: no Ray cluster answers" in said
    assert said.count("\n") == 1


def test_a_cluster_that_does_not_answer_may_want_a_token(monkeypatch):
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    assert "RAY_AUTH_MODE=token" in str(ray_engine._unanswered("host:1", "refused"))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert "RAY_AUTH_MODE" not in str(ray_engine._unanswered("host:1", "refused"))


def test_an_address_needs_the_engine(source, model_folder, tmp_path):
    code, said = run(*arguments(source, tmp_path / "out", model_folder, "--address", "auto"))
    assert (code, said.startswith("trainer: --address needs --engine ray")) == (2, True)
