"""Reading the sources of the books."""

from pathlib import Path

import grpc

from discovery.clock import SystemClock
from services.console.books.books_reader import BooksReader
from services.console.reading.asker import Asker
from services.console.reading.stubs import SERVICES, Stubs
from tests.support.limits import WAIT_S


async def test_each_source_that_does_not_answer_is_named_with_its_reason(tmp_path: Path) -> None:
    """An equation isn't judged by what nobody could read, and the page says why."""
    asker = Asker((), frozenset({"OPERATOR"}), WAIT_S)
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/nobody") as channel:
        stubs = Stubs.over(dict.fromkeys(SERVICES, channel))
        reader = BooksReader(stubs, clock=SystemClock())
        await reader.look(asker)

    faults = {each.source: each.fault for each in reader.progress()}
    assert set(faults.values()) == {"UNAVAILABLE"}
    assert {"order feed", "ledger", "stock levels"} < set(faults)
    assert all(each.complete_time is None for each in reader.progress())
