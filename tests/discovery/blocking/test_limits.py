"""What a blocking channel doesn't send: breaker, bulkhead, published throttling."""

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
from tests.discovery.blocking.conftest import OpenBlocking, StartBeside
from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.blocking.manual_readiness import HandClock, of, ready
from tests.support.discovery.probe_service import Probe, Refusal, path

FINAL = Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "-1"),))


def errors_of(call: Any, times: int) -> list[Any]:
    """How some calls failed, each of them."""
    errors = []
    for _ in range(times):
        with pytest.raises(grpc.RpcError) as failed:
            call()
        errors.append(failed.value)
    return errors


def test_a_service_that_fails_is_left_alone(start: StartBeside, open_to: OpenBlocking) -> None:
    """Refused here with a reason, not held against an instance; other methods go on."""
    server = start("a")
    channel = open_to(server, clock=HandClock())
    ready(channel, 1)
    get = channel.unary_unary(path("Get"))
    server.script.extend([FINAL] * 1000)

    errors = errors_of(lambda: get(b"x"), 100)

    refusals = [one for one in errors if isinstance(one, discovery.LocalRefusalError)]
    assert 50 < len(refusals) < 80
    assert {(one.code(), one.reason) for one in refusals} == {
        (StatusCode.UNAVAILABLE, RefusalReason.BREAKER_OPEN)
    }
    assert len(server.seen) == 100 - len(refusals)
    assert len(of(channel, server).record.outcomes.failures) == len(server.seen)
    (breaker,) = channel.explain().breakers
    assert breaker.refusing

    server.script.clear()
    assert channel.unary_unary(path("Put"))(b"x") == b"a:x"


def test_streams_are_refused_too(start: StartBeside, open_to: OpenBlocking) -> None:
    """Before they are opened."""
    server = start("a")
    channel = open_to(server, clock=HandClock())
    ready(channel, 1)
    server.script.extend([Refusal(StatusCode.INTERNAL)] * 1000)
    chat = channel.stream_stream(path("Chat"))

    errors = errors_of(lambda: next(chat(iter([b"x"]))), 100)

    assert len(server.seen) < 60
    assert any(isinstance(one, discovery.LocalRefusalError) for one in errors)


def test_streams_that_end_well_count_as_well(start: StartBeside, open_to: OpenBlocking) -> None:
    """Else two bad ones of many would eject an instance."""
    server = start("a")
    channel = open_to(server)
    ready(channel, 1)
    chat = channel.stream_stream(path("Chat"))
    for _ in range(20):
        assert list(chat(iter([b"x"]))) == [b"a:x"]

    server.script.extend([Refusal(StatusCode.INTERNAL)] * 3)
    errors_of(lambda: next(chat(iter([b"x"]))), 3)

    (view,) = channel.explain().instances
    assert (view.calls, view.failures, view.ejected) == (23, 3, None)


class Crowd:
    """Callers of a channel with one place, which the first of them holds."""

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
        """The channel's."""
        connected: Any = self.channel.process_state()
        bulkhead: Bulkhead = connected.bulkhead
        return bulkhead

    def call(self, request: bytes, **options: Any) -> "Future[bytes]":
        """A call in a thread of its own."""
        return self._threads.submit(self.channel.unary_unary(path("Get")), request, **options)

    def in_line(self, number: int) -> None:
        """Return once so many wait."""
        changed = self.channel.process_state().balancer.changed
        while True:
            with changed:
                if self.bulkhead.queued == number:
                    return

    def let_go(self) -> None:
        """The server answers everybody."""
        self._background.loop.call_soon_threadsafe(self.server.gate.set)


@pytest.fixture
def crowd(start: StartBeside, open_to: OpenBlocking, background: Background) -> Crowd:
    """One place, two in line."""
    server = start("a")
    channel = open_to(server, service_config={"bulkhead": {"maxCalls": 1, "maxQueued": 2}})
    ready(channel, 1)
    return Crowd(server, channel, background)


def test_calls_wait_in_line_and_go_in_turn(crowd: Crowd) -> None:
    """First come, first served; one more is refused at once, and nothing of it is sent."""
    second = crowd.call(b"2")
    crowd.in_line(1)
    third = crowd.call(b"3")
    crowd.in_line(2)

    with pytest.raises(discovery.LocalRefusalError) as refused:
        crowd.channel.unary_unary(path("Get"))(b"4")
    assert refused.value.code() is StatusCode.RESOURCE_EXHAUSTED
    assert refused.value.reason is RefusalReason.BULKHEAD_FULL

    crowd.let_go()
    assert [each.result(60) for each in (crowd.first, second, third)] == [b"a:1", b"a:2", b"a:3"]
    assert [seen.request for seen in crowd.server.seen] == [b"1", b"2", b"3"]
    assert (crowd.bulkhead.in_flight, crowd.bulkhead.queued) == (0, 0)


def test_who_waits_too_long_is_told_so(crowd: Crowd) -> None:
    """The deadline covers the line; the place goes to the next."""
    with pytest.raises(discovery.LocalRefusalError, match="deadline"):
        crowd.channel.unary_unary(path("Get"))(b"late", timeout=0.05)
    patient = crowd.call(b"patient")
    crowd.in_line(1)

    crowd.let_go()

    assert patient.result(60) == b"a:patient"
    assert [seen.request for seen in crowd.server.seen] == [b"1", b"patient"]


def test_closing_ends_the_line(crowd: Crowd) -> None:
    """Whoever waits is told that the channel is closed."""
    waiting = crowd.call(b"2")
    crowd.in_line(1)

    crowd.channel.close()

    with pytest.raises(ValueError, match="closed channel"):
        waiting.result(60)


def test_a_stream_holds_its_place_until_it_ends(crowd: Crowd) -> None:
    """Of whatever kind, read or not; one that nobody holds any more gives it back."""
    crowd.let_go()
    crowd.first.result(60)
    channel, ended = crowd.channel, threading.Event()
    watch, chat = channel.unary_stream(path("Watch")), channel.stream_stream(path("Chat"))
    for begin in (lambda: watch(b"x"), lambda: chat(iter([b"x"]))):
        stream = begin()
        assert crowd.bulkhead.in_flight == 1
        assert list(stream)
        assert stream.code() is StatusCode.OK
        while crowd.bulkhead.in_flight:
            pass

    over = threading.Event()

    def endless() -> Iterator[bytes]:
        over.wait(60)
        yield b"x"

    for begin in (lambda: watch(b"x"), lambda: chat(endless())):
        stream = begin()
        assert crowd.bulkhead.in_flight == 1
        del stream
        while crowd.bulkhead.in_flight:
            pass
    over.set()
    upload = channel.stream_unary(path("Upload")).future(iter([b"x"]))
    upload.add_done_callback(lambda _: ended.set())
    assert upload.result(60) == b"a:x"
    assert ended.wait(60)
    while crowd.bulkhead.in_flight:
        pass


def test_published_throttling_ends_retries(start: StartBeside, open_to: OpenBlocking) -> None:
    """Two tokens: after the first failure half of them is gone, and nothing is repeated."""
    server = start("a")
    throttled = {"retryThrottling": {"maxTokens": 2, "tokenRatio": 0.1}}
    get = open_to(server, service_config=throttled).unary_unary(path("Get"))
    server.script.append(Refusal(StatusCode.UNAVAILABLE))

    errors_of(lambda: get(b"x"), 1)

    assert len(server.seen) == 1
    assert get(b"x") == b"a:x"
