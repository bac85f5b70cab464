"""One attempt: the picked instance's own multicallable, and how it ends."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc

from discovery.balancing import attempt_outcome
from discovery.balancing.instance_stats import Record
from discovery.blocking.call_end import when_ended
from discovery.call.call_state import Layer, Outgoing, Send
from discovery.clock import Clock
from discovery.rules.method import Kind, Method

_OK = grpc.StatusCode.OK
_RESPONSES = frozenset({Kind.UNARY_STREAM, Kind.STREAM_STREAM})

# How an attempt ended: its code, and what tells of an error.
Ended = Callable[[grpc.StatusCode, Any], None]


def layer(*, lock: threading.Condition, clock: Clock) -> Layer:
    """Send on the picked subchannel, and observe how it ends.

    The response and the ended call, or, where the call `begins`, grpc's own call under way.
    """

    def build(method: Method, _nothing_below: Send) -> Send:
        def send(outgoing: Outgoing) -> Any:
            subchannel: Any = outgoing.subchannel
            made = subchannel.multicallable(method, *outgoing.codec)
            timeout_s = outgoing.arguments()["timeout"]
            ended = partial(
                _observe, lock, clock, method, subchannel.record, outgoing.now_s, timeout_s
            )
            return (_begin if outgoing.begins else _ask)(made, method, outgoing, ended)

        return send

    return build


def _begin(made: Any, method: Method, outgoing: Outgoing, ended: Ended) -> Any:
    begin = made if method.kind in _RESPONSES else made.future
    call = outgoing.attempt = begin(outgoing.request, **outgoing.arguments())
    if method.kind is Kind.UNARY_UNARY:
        # Hedged: its call holds both attempts until they have ended.
        call.add_done_callback(lambda call: ended(call.code(), call))
    else:
        when_ended(call, lambda code: ended(code, None))
    if outgoing.told is not None:
        outgoing.told(call)
    return call


def _ask(made: Any, _method: Method, outgoing: Outgoing, ended: Ended) -> tuple[Any, Any]:
    try:
        if outgoing.told is None:
            response, call = made.with_call(outgoing.request, **outgoing.arguments())
        else:
            call = made.future(outgoing.request, **outgoing.arguments())
            outgoing.told(call)
            response = call.result()
    except grpc.RpcError as error:
        failure: Any = error
        ended(failure.code(), failure)
        raise
    outgoing.attempt = call
    ended(_OK, None)
    return response, call


def _observe(  # noqa: PLR0917 - all but the last two are bound once for an attempt
    lock: threading.Condition,
    clock: Clock,
    method: Method,
    record: Record,
    began_s: float,
    timeout_s: float | None,
    code: grpc.StatusCode,
    error: Any,
) -> None:
    """Tell load, ejection and breaker, by `discovery.balancing.attempt_outcome`."""
    now_s = clock.monotonic()
    took_s = now_s - began_s
    with lock:
        if method.kind is Kind.UNARY_UNARY and code is not _OK:
            attempt_outcome.failed(
                method, record, error, latency_s=took_s, timeout_s=timeout_s, now_s=now_s
            )
        elif code is not _OK:
            attempt_outcome.stream_failed(method, record, code, latency_s=took_s, now_s=now_s)
        elif method.kind is not Kind.UNARY_STREAM:
            # Of a stream of responses whoever reads it sees the first message; of one that goes
            # both ways nobody does.
            measured = method.kind is not Kind.STREAM_STREAM
            attempt_outcome.succeeded(method, record, took_s, now_s, measured=measured)
