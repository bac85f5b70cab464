"""A slow unary call of a blocking channel is hedged, and one thread waits for both attempts."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from grpc import StatusCode

from discovery import blocking
from discovery.rules import attempt_number
from tests.discovery.blocking.conftest import OpenBlocking, StartInBackground
from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.blocking.manual_readiness import AdjustableClock, ready, subchannel_of
from tests.support.discovery.probe_service import LONG_S, Probe, Refusal, path

CONFIG = {
    # With pick_first it is known which instance gets the first attempt.
    "loadBalancingConfig": [{"pick_first": {}}],
    "methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 2}}],
}
STOP = (("grpc-retry-pushback-ms", "-1"),)


@dataclass
class HedgedInstances:
    """Two instances, of which the first is stuck, and a channel that knows a p95."""

    slow: Probe
    other: Probe
    channel: blocking.BlockingChannel
    background: Background
    threads: ThreadPoolExecutor

    def call(self, method: str = "Get") -> "Future[bytes]":
        """A call whose first attempt doesn't end before the gate opens."""
        return self.threads.submit(self.channel.unary_unary(path(method)), b"x", timeout=LONG_S)

    def open_gate(self) -> None:
        """Let the first instance answer."""
        self.background.loop.call_soon_threadsafe(self.slow.gate.set)

    def seen(self, probe: Probe, number: int) -> None:
        """Return once a server has this many calls."""
        self.background.run(probe.wait_for_calls(number))

    def cancelled(self, probe: Probe) -> None:
        """Return once a call was cancelled at a server."""
        self.background.run(probe.was_cancelled())


def hedged_instances(
    start: StartInBackground,
    open_to: OpenBlocking,
    background: Background,
    *,
    config: Mapping[str, Any] = CONFIG,
    method: str = "Get",
    calls: int = 25,
) -> HedgedInstances:
    """Two ready instances, with `calls` calls in the budget."""
    slow, other = sorted((start("a"), start("b")), key=lambda probe: probe.address)
    clock = AdjustableClock()
    channel = open_to(slow, other, service_config=config, clock=clock)
    ready(channel, 2)
    for _ in range(calls):
        channel.unary_unary(path(method))(b"pay")
    # The p95 is computed at most ten times a second.
    clock.ahead_s += 1.0
    for server in (slow, other):
        server.seen.clear()
    background.loop.call_soon_threadsafe(slow.gate.clear)
    return HedgedInstances(slow, other, channel, background, ThreadPoolExecutor(4))


def test_the_first_ok_wins_and_the_loser_is_cancelled(
    start: StartInBackground, open_to: OpenBlocking, background: Background
) -> None:
    """A second attempt with its number goes to another instance; the trailers are the winner's."""
    made = hedged_instances(start, open_to, background)

    answer, call = made.channel.unary_unary(path("Get")).with_call(b"x", timeout=LONG_S)

    assert answer == f"{made.other.name}:x".encode()
    assert ("served-by", made.other.name) in tuple(call.trailing_metadata())
    made.cancelled(made.slow)
    assert [seen.metadata.get("x-discovery-attempt") for seen in made.other.seen] == ["1"]
    while subchannel_of(made.channel, made.slow).load.in_flight:
        pass


UNHEDGED: dict[str, Any] = {"loadBalancingConfig": [{"pick_first": {}}]}


@pytest.mark.parametrize(
    ("options", "depth"),
    [
        ({"config": UNHEDGED}, 0),
        ({"method": "Post"}, 0),
        ({"calls": 3}, 0),
        ({}, 1),
    ],
    ids=["not asked for", "unsafe", "nothing is usual yet", "a retry above"],
)
def test_calls_that_are_not_hedged(
    start: StartInBackground,
    open_to: OpenBlocking,
    background: Background,
    options: dict[str, Any],
    depth: int,
) -> None:
    """Only safe methods with a policy and a p95 are hedged, and only in the nearest layer."""
    made = hedged_instances(start, open_to, background, **options)
    method = made.channel.unary_unary(path(options.get("method", "Get")))

    def ask() -> bytes:
        with attempt_number.bind(depth):
            answer: bytes = method(b"x", timeout=2.0)
            return answer

    with pytest.raises(grpc.RpcError, match="DEADLINE_EXCEEDED"):
        ask()
    assert len(made.slow.seen) == 1
    assert made.other.seen == []


def test_a_failed_hedge_leaves_the_first_to_win(
    start: StartInBackground, open_to: OpenBlocking, background: Background
) -> None:
    """When the hedge fails, the first attempt can still win."""
    made = hedged_instances(start, open_to, background)
    made.other.script.append(Refusal(StatusCode.UNAVAILABLE))

    call = made.call()
    made.seen(made.other, 1)
    made.open_gate()

    assert call.result(60) == f"{made.slow.name}:x".encode()


def test_a_fatal_error_ends_the_call(
    start: StartInBackground, open_to: OpenBlocking, background: Background
) -> None:
    """A fatal error such as NOT_FOUND ends the call without waiting for the other attempt."""
    made = hedged_instances(start, open_to, background)
    made.other.script.append(Refusal(StatusCode.NOT_FOUND))

    with pytest.raises(grpc.RpcError, match="NOT_FOUND"):
        made.call().result(60)
    made.cancelled(made.slow)


def test_pushback_of_either_attempt_stops_retries(
    start: StartInBackground, open_to: OpenBlocking, background: Background
) -> None:
    """If both fail and one says "don't try again", the call isn't retried."""
    made = hedged_instances(start, open_to, background)
    made.other.script.append(Refusal(StatusCode.UNAVAILABLE, STOP))
    made.slow.script.append(Refusal(StatusCode.UNAVAILABLE))

    call = made.call()
    made.seen(made.other, 1)
    made.open_gate()

    with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
        call.result(60)
    assert (len(made.slow.seen), len(made.other.seen)) == (1, 1)


def test_retry_continues_after_both_attempts_failed(
    start: StartInBackground, open_to: OpenBlocking, background: Background
) -> None:
    """After both attempts failed, the next one carries the right attempt number."""
    made = hedged_instances(start, open_to, background)
    refusal = Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "0"),))
    made.other.script.append(refusal)
    made.slow.script.append(refusal)

    call = made.call()
    made.seen(made.other, 1)
    made.open_gate()

    assert call.result(60) in (b"a:x", b"b:x")
    headers = [
        int(seen.metadata.get("x-discovery-attempt", 0))
        for seen in (*made.slow.seen, *made.other.seen)
    ]
    assert sorted(headers)[:3] == [0, 1, 2]


def test_cancelling_a_future_cancels_both(
    start: StartInBackground, open_to: OpenBlocking, background: Background
) -> None:
    """Cancelling a hedged future cancels both attempts."""
    made = hedged_instances(start, open_to, background)
    background.loop.call_soon_threadsafe(made.other.gate.clear)

    future = made.channel.unary_unary(path("Get")).future(b"x", timeout=LONG_S)
    made.seen(made.other, 1)
    assert future.cancel()

    made.cancelled(made.slow)
    made.cancelled(made.other)
    with pytest.raises(grpc.FutureCancelledError):
        future.result(60)


def test_a_stream_of_responses_is_not_hedged(
    start: StartInBackground, open_to: OpenBlocking, background: Background
) -> None:
    """Streams of responses are not hedged by a blocking channel."""
    made = hedged_instances(start, open_to, background)
    watch = made.channel.unary_stream(path("Watch"))
    made.open_gate()
    for _ in range(25):
        assert len(list(watch(b"x"))) == 3
    background.loop.call_soon_threadsafe(made.slow.gate.clear)
    made.slow.seen.clear()

    reading = made.threads.submit(lambda: list(watch(b"x", timeout=LONG_S)))
    made.seen(made.slow, 1)
    made.open_gate()

    assert len(reading.result(60)) == 3
    assert made.other.seen == []
