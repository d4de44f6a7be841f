"""One model for all threads and tasks: the results are those of one thread, the event loop goes on, nothing can be set."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from trainer import Classifier, FilterResult, InputError


def as_bytes(result: FilterResult) -> bytes:
    return json.dumps([result.to_record({"id": 1}, paragraphs=True), result.by_label, result.keep]).encode()


def variants(articles: list[str], count: int) -> list[str]:
    """Return so many articles, no two of them the same."""
    return [f"{articles[i % len(articles)][: 300 + 7 * i]}\nArticle {i}" for i in range(count)]


def test_sixteen_threads_give_byte_for_byte_what_one_gives(model: Classifier, articles: list[str]) -> None:
    given = variants(articles, 2000)
    serial = [as_bytes(model.filter(text)) for text in given]
    assert len(set(serial)) == 2000
    together = threading.Barrier(16)

    def work(number: int) -> list[bytes]:
        together.wait()  # every thread filters every sixteenth article, from its own place on
        return [as_bytes(model.filter(text)) for text in given[number::16]]

    with ThreadPoolExecutor(16) as pool:
        parts = list(pool.map(work, range(16)))
    assert [parts[i % 16][i // 16] for i in range(2000)] == serial


def test_threads_may_share_a_result(model: Classifier, articles: list[str]) -> None:
    for text in articles[:20]:
        result = model.filter(text)
        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(as_bytes, [result] * 8))) == 1


def test_no_call_changes_the_model(model: Classifier, articles: list[str]) -> None:
    def state() -> list[bytes]:
        stages = (model.network.text.weights, model.network.text.scale, *model.network.sequence.arrays.values())
        return [array.tobytes() for array in stages]

    before = state(), model.policy, dict(model.info)
    list(model.filter_many(articles, allow_empty=True, max_removed_share=0.5))
    assert (state(), model.policy, dict(model.info)) == before


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Classifier)] + ["new"])
def test_nothing_can_be_set_on_a_loaded_model(model: Classifier, name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(model, name, None)


def test_the_event_loop_goes_on_while_200_articles_are_filtered(model: Classifier, articles: list[str]) -> None:
    given = variants(articles, 200)
    caller = threading.get_ident()
    beats: list[float] = []

    async def heartbeat() -> None:
        while True:
            beats.append(time.perf_counter())
            await asyncio.sleep(0.005)

    async def main() -> list[FilterResult]:
        beating = asyncio.create_task(heartbeat())
        await asyncio.sleep(0)
        begin = time.perf_counter()
        results = await asyncio.gather(*(model.afilter(text, site="here.example") for text in given))
        lasted = time.perf_counter() - begin
        beating.cancel()
        assert len([beat for beat in beats if begin < beat < begin + lasted]) >= 10
        return results

    results = asyncio.run(main())
    assert threading.get_ident() == caller
    assert [as_bytes(result) for result in results] == [as_bytes(model.filter(text)) for text in given]
    assert {result.site for result in results} == {"here.example"}


def test_afilter_works_in_another_thread_than_the_loop(model: Classifier) -> None:
    class Item:
        @property
        def text(self) -> str:
            self.thread = threading.get_ident()
            return "The council voted on Monday."

    item = Item()
    assert asyncio.run(model.afilter(item)).text == "The council voted on Monday."
    assert item.thread != threading.get_ident()


@pytest.mark.parametrize("given", [b"bytes", None, {"body": "x"}], ids=repr)
def test_afilter_refuses_what_filter_refuses(model: Classifier, given: Any) -> None:
    with pytest.raises(InputError, match="expected a text or a list of paragraphs"):
        asyncio.run(model.afilter(given))
