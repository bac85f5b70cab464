"""Reading the sources of the books."""

from dataclasses import replace
from pathlib import Path

import grpc
from tradepost.event.v1.event_pb2 import Event
from tradepost.event.v1.event_service_pb2 import (
    GetFeedRequest,
    GetFeedResponse,
    ReadEventsRequest,
    ReadEventsResponse,
)

from discovery.clock import SystemClock
from services.console.books.books_reader import MOST_PERSONAL, BooksReader
from services.console.reading.asker import Asker
from services.console.reading.stubs import SERVICES, Stubs
from tests.support.limits import WAIT_S

# A type that the books don't count.
PLACED = "tradepost.testing.Placed"


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


class Feed:
    """Answers as the feed of a service that has these events."""

    def __init__(self, *events: Event) -> None:
        self._events = events

    async def GetFeed(self, _: GetFeedRequest, **__: object) -> GetFeedResponse:
        return GetFeedResponse(epoch="first", oldest_position=1, head_position=len(self._events))

    async def ReadEvents(self, request: ReadEventsRequest, **_: object) -> ReadEventsResponse:
        until = min(request.after_position + request.page_size, len(self._events))
        return ReadEventsResponse(
            events=self._events[request.after_position : until],
            next_position=until,
            head_position=len(self._events),
        )


async def test_many_orders_push_out_no_deed_of_an_operator(tmp_path: Path) -> None:
    """Customers place more orders than are kept; of an operator there is one release of stock."""
    orders = (
        Event(type=PLACED, actor=f"person:{number}", aggregate_id=f"ord_{number}", position=number)
        for number in range(1, 3 * MOST_PERSONAL)
    )
    released = Event(type="tradepost.inventory.v1.Released", actor="person:olga", position=1)
    asker = Asker((), frozenset({"OPERATOR"}), WAIT_S)
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/nobody") as channel:
        stubs = Stubs.over(dict.fromkeys(SERVICES, channel))
        feeds = {**stubs.feeds, "order": Feed(*orders), "inventory": Feed(released)}
        reader = BooksReader(replace(stubs, feeds=feeds), clock=SystemClock())
        while "order feed" not in complete(reader):
            await reader.look(asker)

    actors = [event.actor for event in reader.personal]
    assert "person:olga" in actors
    assert len(actors) == MOST_PERSONAL + 1


def complete(reader: BooksReader) -> set[str]:
    """The sources that were read to their end."""
    return {each.source for each in reader.progress() if each.complete_time is not None}
