"""One attempt: the picked instance's own multicallable, and what its end tells the load."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

import grpc

from discovery.clock import Clock
from discovery.load import Load
from discovery.method import Kind, Method
from discovery.outgoing import Layer, Outgoing, Send
from discovery.retry_policy import pushback_s

T = TypeVar("T")

# What counts against an instance. DEADLINE_EXCEEDED does too where the attempt had a fair time.
FAILURES = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.DATA_LOSS,
    }
)
_FAIR_TIME = 0.95


def layer(*, clock: Clock) -> Layer:
    """Send on the picked subchannel, in flight until the call ends, and observe how it ends."""
    monotonic = clock.monotonic

    def build(method: Method, _nothing_below: Send) -> Send:
        path = method.path
        ended = stream_ended if method.kind is not Kind.UNARY_UNARY else unary_ended

        def send(outgoing: Outgoing) -> Any:
            subchannel: Any = outgoing.subchannel
            multicallable = subchannel.multicallables.get(path) or subchannel.multicallable(method)
            deadline_s, now_s = outgoing.deadline_s, outgoing.now_s
            timeout_s = None if deadline_s is None else deadline_s - now_s
            call = multicallable(
                outgoing.request,
                timeout=timeout_s,
                metadata=outgoing.headers,
                credentials=outgoing.credentials,
                compression=outgoing.compression,
            )
            load = subchannel.load
            load.in_flight += 1
            call.add_done_callback(partial(ended, load, method, now_s, timeout_s, monotonic))
            outgoing.attempt = call
            return call

        return send

    return build


def unary_ended(  # noqa: PLR0917 - grpc.aio adds the call after a partial's arguments
    load: Load,
    method: Method,
    started_s: float,
    timeout_s: float | None,
    monotonic: Callable[[], float],
    call: grpc.aio.Call,
) -> None:
    """A unary attempt is over, however it ended."""
    load.in_flight -= 1
    if method.waits:
        return
    now_s = monotonic()
    code = at_once(call.code())
    if code is grpc.StatusCode.OK:
        load.succeeded(now_s - started_s, now_s)
        method.latencies.add(now_s - started_s, now_s=now_s)
    elif code is not grpc.StatusCode.CANCELLED:
        _observe(
            load,
            method,
            call,
            code=code,
            latency_s=now_s - started_s,
            timeout_s=timeout_s,
            now_s=now_s,
        )


def stream_ended(
    load: Load,
    method: Method,
    _started_s: float,
    _timeout_s: float | None,
    monotonic: Callable[[], float],
    call: grpc.aio.Call,
) -> None:
    """A stream is over. Its latency was that of its first message; only a failure counts now."""
    load.in_flight -= 1
    if not method.waits and at_once(call.code()) in FAILURES:
        load.failed(0.0, monotonic(), pushback_s=_pushback_s(call))


def first_message(method: Method, now_s: float, outgoing: Outgoing) -> None:
    """A stream's first message arrived: its latency, from the start or the last request written."""
    if method.waits or outgoing.subchannel is None:
        return
    latency_s = now_s - outgoing.now_s
    outgoing.subchannel.load.succeeded(latency_s, now_s)
    method.latencies.add(latency_s, now_s=now_s)


def _observe(
    load: Load,
    method: Method,
    call: grpc.aio.Call,
    *,
    code: grpc.StatusCode,
    latency_s: float,
    timeout_s: float | None,
    now_s: float,
) -> None:
    """Tell a failure of the instance from an answer that merely isn't OK."""
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        fair_s = method.latencies.percentile(_FAIR_TIME, now_s=now_s)
        if fair_s is None or timeout_s is None or timeout_s >= fair_s:
            load.failed(latency_s, now_s)
        return
    told_s = _pushback_s(call)
    if code in FAILURES:
        load.failed(latency_s, now_s, pushback_s=told_s)
    elif code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        # Shedding is fast: its latency would draw more calls to the one that sheds.
        if told_s is not None:
            load.failed(latency_s, now_s, pushback_s=told_s)
    else:
        load.succeeded(latency_s, now_s)
        method.latencies.add(latency_s, now_s=now_s)


def _pushback_s(call: grpc.aio.Call) -> float | None:
    """What an ended call's trailers say; "don't try again" asks for no longer than the rule's."""
    told_s = pushback_s(at_once(call.trailing_metadata()))
    return None if told_s is None else max(told_s, 0.0)


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that doesn't wait; those of an ended grpc.aio call don't."""
    try:
        coroutine.send(None)
    except StopIteration as returned:
        result: T = returned.value
        return result
    coroutine.close()
    raise RuntimeError("the coroutine waits: the call has not ended")
