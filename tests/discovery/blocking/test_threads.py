"""How many threads a blocking channel has doesn't depend on how many calls are in flight."""

import threading
from typing import Any

import grpc
import pytest
from grpc import StatusCode

from discovery import blocking
from tests.discovery.blocking.conftest import OpenBlocking, StartInBackground
from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.blocking.manual_readiness import ready
from tests.support.discovery.probe_service import Probe, Refusal, path
from tests.support.limits import WAIT_S

MANY = 500
# Threads of grpc, and timers of connections, that come and go.
FEW = 10
LIMITED = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.01s",
                "maxBackoff": "0.1s",
                "backoffMultiplier": 2,
                "perAttemptRecvTimeout": "60s",
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}


@pytest.fixture
def silent(start: StartInBackground, background: Background) -> Probe:
    """A server that answers nothing until its gate is opened."""
    server = start("a")
    background.loop.call_soon_threadsafe(server.gate.clear)
    return server


def begin(channel: blocking.BlockingChannel, number: int, **options: Any) -> list[Any]:
    """Futures of as many calls."""
    get: Any = channel.unary_unary(path("Get"))
    return [get.future(b"%d" % each, timeout=120, **options) for each in range(number)]


def test_unanswered_futures_share_a_thread(
    silent: Probe, open_to: OpenBlocking, background: Background
) -> None:
    """Many futures in flight hold hardly more threads than one; each gets its own answer."""
    channel = open_to(silent)
    ready(channel, 1)
    first = begin(channel, 1)
    background.run(silent.wait_for_calls(1))
    threads = threading.active_count()

    futures = begin(channel, MANY)
    background.run(silent.wait_for_calls(1 + MANY))
    assert threading.active_count() < threads + FEW

    background.loop.call_soon_threadsafe(silent.gate.set)
    assert [one.result(WAIT_S) for one in futures] == [b"a:%d" % number for number in range(MANY)]
    assert first[0].result(120) == b"a:0"


def test_futures_that_wait_share_a_thread(open_to: OpenBlocking) -> None:
    """So do futures that wait for a connection, for their turn, or for the next attempt."""
    config = {"bulkhead": {"maxCalls": MANY // 2, "maxQueued": MANY}}
    with blocking.open_channel("static:///127.0.0.1:9", service_config=config) as channel:
        futures = begin(channel, 1, wait_for_ready=True)
        bulkhead: Any = channel.process_state().bulkhead
        while bulkhead.in_flight < 1:
            pass
        threads = threading.active_count()

        futures += begin(channel, MANY - 1, wait_for_ready=True)
        while bulkhead.queued < MANY // 2:
            pass
        assert threading.active_count() < threads + FEW

    assert {one.code() for one in futures} == {StatusCode.CANCELLED}
    # The loop cancels the rest after the calls have ended.
    while (bulkhead.in_flight, bulkhead.queued) != (0, 0):
        pass


def test_limits_of_streams_share_a_thread(
    silent: Probe, open_to: OpenBlocking, background: Background
) -> None:
    """Streams whose attempts are limited in time have no thread each to watch the time."""
    channel = open_to(silent, service_config=LIMITED)
    ready(channel, 1)
    watch: Any = channel.unary_stream(path("Watch"))
    streams = [watch(b"x")]
    background.run(silent.wait_for_calls(1))
    threads = threading.active_count()

    streams += [watch(b"x") for _ in range(200)]
    background.run(silent.wait_for_calls(201))
    assert threading.active_count() < threads + FEW

    background.loop.call_soon_threadsafe(silent.gate.set)
    assert [len(list(one)) for one in streams] == [3] * 201


def test_many_futures_are_retried(start: StartInBackground, open_to: OpenBlocking) -> None:
    """Futures whose first attempts fail are all answered by the other instance's."""
    a, b = start("a"), start("b")
    config = {
        "loadBalancingConfig": [{"round_robin": {}}],
        "retryBudget": {"retriesPerCall": 1, "reservePerSecond": 100},
        "ejection": False,
    }
    channel = open_to(a, b, service_config=config)
    ready(channel, 2)
    a.script.extend([Refusal(StatusCode.UNAVAILABLE)] * 20)

    futures = begin(channel, 40)

    assert [one.result(WAIT_S)[2:] for one in futures] == [b"%d" % number for number in range(40)]
    assert not a.script


def test_a_future_that_waits_can_be_cancelled(open_to: OpenBlocking) -> None:
    """A cancelled future that waited for its turn leaves the queue, and its callback is called."""
    config = {"bulkhead": {"maxCalls": 1, "maxQueued": 2}}
    with blocking.open_channel("static:///127.0.0.1:9", service_config=config) as channel:
        _, queued = begin(channel, 2, wait_for_ready=True)
        bulkhead: Any = channel.process_state().bulkhead
        while not bulkhead.queued:
            pass
        ended = threading.Event()
        queued.add_done_callback(lambda _: ended.set())

        assert queued.cancel()

        assert ended.wait(60)
        with pytest.raises(grpc.FutureCancelledError):
            queued.result()
        while bulkhead.queued:
            pass


def test_a_callback_may_make_a_call(start: StartInBackground, open_to: OpenBlocking) -> None:
    """A callback of a future may call and wait for the answer, and begin another future."""
    channel = open_to(start("a"))
    get: Any = channel.unary_unary(path("Get"))
    seen: list[bytes] = []
    over = threading.Event()

    def ask(_: Any) -> None:
        seen.append(get(b"2"))
        get.future(b"3").add_done_callback(finish)

    def finish(call: Any) -> None:
        seen.append(call.result())
        over.set()

    get.future(b"1").add_done_callback(ask)

    assert over.wait(60)
    assert seen == [b"a:2", b"a:3"]
