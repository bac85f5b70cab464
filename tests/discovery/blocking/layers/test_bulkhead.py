"""The bulkhead of a blocking channel bounds the calls in flight and the calls in its queue."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from grpc import StatusCode

import discovery
from discovery import blocking
from discovery.errors import RefusalReason
from discovery.rules.bulkhead import Bulkhead
from tests.discovery.blocking.conftest import OpenBlocking, StartInBackground
from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.blocking.manual_readiness import ready
from tests.support.discovery.probe_service import Probe, Refusal, path


class QueuedCallers:
    """Callers of a channel with one slot, which the first of them holds."""

    def __init__(
        self, server: Probe, channel: blocking.BlockingChannel, background: Background
    ) -> None:
        self.server = server
        self.channel = channel
        self._background = background
        self._threads = ThreadPoolExecutor(8)
        background.loop.call_soon_threadsafe(server.gate.clear)
        self.first = self.call(b"1")
        background.run(server.wait_for_calls(1))

    @property
    def bulkhead(self) -> Bulkhead:
        """The bulkhead of the channel."""
        connected: Any = self.channel.process_state()
        bulkhead: Bulkhead = connected.bulkhead
        return bulkhead

    def call(self, request: bytes, **options: Any) -> "Future[bytes]":
        """A call in a thread of its own."""
        return self._threads.submit(self.channel.unary_unary(path("Get")), request, **options)

    def wait_for_queued(self, number: int) -> None:
        """Return once this many calls are in the queue."""
        changed = self.channel.process_state().balancer.changed
        while True:
            with changed:
                if self.bulkhead.queued == number:
                    return

    def open_gate(self) -> None:
        """Let the server answer all calls."""
        self._background.loop.call_soon_threadsafe(self.server.gate.set)


@pytest.fixture
def callers(
    start: StartInBackground, open_to: OpenBlocking, background: Background
) -> QueuedCallers:
    """A channel with one slot and a queue of two."""
    server = start("a")
    channel = open_to(server, service_config={"bulkhead": {"maxCalls": 1, "maxQueued": 2}})
    ready(channel, 1)
    return QueuedCallers(server, channel, background)


def test_calls_queue_and_are_let_in_in_order(callers: QueuedCallers) -> None:
    """Queued calls are let in first come, first served; one too many is refused and not sent."""
    second = callers.call(b"2")
    callers.wait_for_queued(1)
    third = callers.call(b"3")
    callers.wait_for_queued(2)

    with pytest.raises(discovery.LocalRefusalError) as refused:
        callers.channel.unary_unary(path("Get"))(b"4")
    assert refused.value.code() is StatusCode.RESOURCE_EXHAUSTED
    assert refused.value.reason is RefusalReason.BULKHEAD_FULL

    callers.open_gate()
    assert [each.result(60) for each in (callers.first, second, third)] == [b"a:1", b"a:2", b"a:3"]
    assert [seen.request for seen in callers.server.seen] == [b"1", b"2", b"3"]
    assert (callers.bulkhead.in_flight, callers.bulkhead.queued) == (0, 0)


def test_the_deadline_bounds_the_wait_in_the_queue(callers: QueuedCallers) -> None:
    """A call whose deadline passes in the queue fails, and the next in the queue is let in."""
    with pytest.raises(discovery.LocalRefusalError, match="deadline"):
        callers.channel.unary_unary(path("Get"))(b"late", timeout=0.05)
    patient = callers.call(b"patient")
    callers.wait_for_queued(1)

    callers.open_gate()

    assert patient.result(60) == b"a:patient"
    assert [seen.request for seen in callers.server.seen] == [b"1", b"patient"]


def test_closing_ends_the_wait_in_the_queue(callers: QueuedCallers) -> None:
    """Queued calls end with CANCELLED when the channel is closed, as in grpc."""
    waiting = callers.call(b"2")
    callers.wait_for_queued(1)

    callers.channel.close()

    with pytest.raises(grpc.RpcError, match="Channel closed!") as refused:
        waiting.result(60)
    ended: Any = refused.value
    assert ended.code() is StatusCode.CANCELLED


def test_a_stream_holds_its_slot_until_it_ends(callers: QueuedCallers) -> None:
    """A stream of any kind holds its slot until it ends or is collected."""
    callers.open_gate()
    callers.first.result(60)
    channel, ended = callers.channel, threading.Event()
    watch, chat = channel.unary_stream(path("Watch")), channel.stream_stream(path("Chat"))
    for begin in (lambda: watch(b"x"), lambda: chat(iter([b"x"]))):
        stream = begin()
        assert callers.bulkhead.in_flight == 1
        assert list(stream)
        assert stream.code() is StatusCode.OK
        while callers.bulkhead.in_flight:
            pass

    over = threading.Event()

    def endless() -> Iterator[bytes]:
        over.wait(60)
        yield b"x"

    for begin in (lambda: watch(b"x"), lambda: chat(endless())):
        stream = begin()
        assert callers.bulkhead.in_flight == 1
        del stream
        while callers.bulkhead.in_flight:
            pass
    over.set()
    upload = channel.stream_unary(path("Upload")).future(iter([b"x"]))
    upload.add_done_callback(lambda _: ended.set())
    assert upload.result(60) == b"a:x"
    assert ended.wait(60)
    while callers.bulkhead.in_flight:
        pass


def test_a_stream_whose_next_attempt_can_not_begin_leaves_its_slot(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """The program's own policy raises at the second pick, twice as often as there are slots."""
    server = start("a")
    config = {"bulkhead": {"maxCalls": 2, "maxQueued": 0}}
    channel = open_to(server, policy=only_first_picks, service_config=config)
    for _ in range(4):
        server.script.append(Refusal(StatusCode.UNAVAILABLE))
        with pytest.raises(KeyError):
            next(channel.unary_stream(path("Watch"))(b"x"))

    bulkhead: Any = channel.process_state()
    assert bulkhead.bulkhead.in_flight == 0


def only_first_picks(candidates: Any, _: Any) -> Any:
    """A policy with a fault: it raises when an instance is excluded."""

    def pick(_now_s: float, excluded: Any) -> Any:
        if excluded:
            raise KeyError("a fault of the program's policy")
        return candidates[0]

    return pick
