"""Sends one attempt on the picked subchannel and records how it ends."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc

from discovery.balancing import attempt_outcome
from discovery.balancing.unconnected import was_lost
from discovery.blocking.end_of_call import on_attempt_end
from discovery.blocking.native import StatusOf
from discovery.blocking.sent import BlockingLayer, BlockingSend, Sent
from discovery.blocking.subchannel import Subchannel
from discovery.call.call_state import CallState
from discovery.clock import Clock
from discovery.rules.failure_codes import (
    APPLICATION_FAULTS,
    is_own_request,
    is_unreadable_answer,
)
from discovery.rules.method import Kind, Method

_OK = grpc.StatusCode.OK
# Codes of which only the details tell whose fault it is.
_TOLD_BY_DETAILS = APPLICATION_FAULTS | {grpc.StatusCode.RESOURCE_EXHAUSTED}
_RESPONSES = frozenset({Kind.UNARY_STREAM, Kind.STREAM_STREAM})

# Called when an attempt has ended, with its code and, if it failed, its error.
Ended = Callable[[grpc.StatusCode, Any], None]


def layer(*, lock: threading.Condition, clock: Clock) -> BlockingLayer:
    """Send on the picked subchannel; record the outcome in its load, ejection and breaker.

    Returns the response and the ended call, or, if `returns_rpc`, grpc's call under way.
    """

    def build(method: Method, _nothing_below: BlockingSend) -> BlockingSend:
        def send(call: CallState) -> Sent:
            subchannel: Any = call.subchannel  # the pick layer sets a Subchannel of this driver
            made = subchannel.multicallable(method, *call.codec)
            timeout_s = call.arguments()["timeout"]
            ended = partial(_observe, lock, clock, method, subchannel, call.now_s, timeout_s)
            return (_begin if call.returns_rpc else _ask)(made, method, call, ended)

        return send

    return build


def _begin(made: Any, method: Method, call: CallState, ended: Ended) -> Any:
    begin = made if method.kind in _RESPONSES else made.future
    rpc = call.attempt = begin(call.request, **call.arguments())
    if method.kind is Kind.UNARY_UNARY:
        # A hedge or a future, which keep an attempt referenced until it has ended.
        rpc.add_done_callback(lambda rpc: ended(rpc.code(), rpc))
    else:
        status = StatusOf(rpc)
        on_attempt_end(rpc, lambda code: ended(code, status))
    return rpc


def _ask(made: Any, _method: Method, call: CallState, ended: Ended) -> tuple[Any, Any]:
    try:
        response, rpc = made.with_call(call.request, **call.arguments())
    except grpc.RpcError as error:
        failure: Any = error
        ended(failure.code(), failure)
        raise
    call.attempt = rpc
    ended(_OK, None)
    return response, rpc


def _observe(  # noqa: PLR0917 - all but the last two are bound once for each attempt
    lock: threading.Condition,
    clock: Clock,
    method: Method,
    subchannel: Subchannel,
    began_s: float,
    timeout_s: float | None,
    code: grpc.StatusCode,
    error: Any,
) -> None:
    """Record the outcome by the table in `discovery.balancing.attempt_outcome`."""
    now_s = clock.monotonic()
    took_s = now_s - began_s
    # Before the lock, since grpc's call takes one of its own.
    told = code in _TOLD_BY_DETAILS and error is not None
    details = error.details() if told else None
    if is_own_request(code, details):
        return
    if is_unreadable_answer(code, details):
        code = _OK
    with lock:
        record, lost = subchannel.record, was_lost(code, subchannel)
        if method.kind is Kind.UNARY_UNARY and code is not _OK:
            attempt_outcome.failed(
                method, record, error, latency_s=took_s, timeout_s=timeout_s, now_s=now_s, lost=lost
            )
        elif code is not _OK:
            attempt_outcome.stream_failed(
                method, record, code, latency_s=took_s, now_s=now_s, details=details, lost=lost
            )
        elif method.kind is not Kind.UNARY_STREAM:
            # The reader of a stream of responses records its first message (`Repeater`). In a
            # stream with both directions, nothing sees the first message, so its latency isn't
            # measured.
            measured = method.kind is not Kind.STREAM_STREAM
            attempt_outcome.succeeded(method, record, took_s, now_s, measured=measured)
