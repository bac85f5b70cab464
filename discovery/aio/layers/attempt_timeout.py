"""Gives up an attempt without an answer while another one may follow (perAttemptRecvTimeout).

A frozen instance then can't use up the time of the whole call.
"""

import asyncio
from typing import Any

import grpc

from discovery.aio.call_status import snapshot
from discovery.aio.layers.by_kind import by_kind
from discovery.aio.sent import (
    AioLayer,
    PendingStream,
    StreamAttempt,
    StreamSend,
    StreamSent,
    UnarySend,
)
from discovery.balancing import attempt_outcome
from discovery.call.call_state import CallState
from discovery.clock import Clock
from discovery.rules.method import Method
from discovery.rules.retry_decision import attempt_limit_s, gave_up


def layer() -> AioLayer:
    """Bound each attempt of a unary call. Streams are bounded where their first message is read."""
    return by_kind(unary=_unary, stream=_stream)


def _unary(method: Method, below: UnarySend) -> UnarySend:
    if method.retry.attempt_timeout_s is None:
        return below

    async def send(call: CallState) -> Any:
        limit_s = attempt_limit_s(method.retry, call.failed_before, safe=method.safe)
        deadline_s = call.deadline_s
        if limit_s is None or (deadline_s is not None and deadline_s <= call.now_s + limit_s):
            return await below(call)
        call.deadline_s = call.now_s + limit_s
        try:
            return await below(call)
        finally:
            call.deadline_s = deadline_s

    return send


def _stream(_method: Method, below: StreamSend) -> StreamSend:
    return below


async def first_message(
    method: Method, clock: Clock, sent: StreamSent, call: CallState
) -> StreamAttempt:
    """Wait for an attempt's first message.

    Raises what the attempt ended with, and DEADLINE_EXCEEDED if it is given up.
    """
    attempts: Any = call.uncommitted
    limit_s = attempt_limit_s(method.retry, call.failed_before, safe=method.safe)
    if limit_s is None:
        attempt: StreamAttempt = await attempts.first_message(sent)
        return attempt
    if isinstance(sent, PendingStream):
        # It waits for an instance, which is no instance's fault and not the attempt's time.
        sent = await sent.start()
    loop = asyncio.get_running_loop()
    reading = loop.create_task(attempts.first_message(sent))
    pause = loop.create_task(clock.sleep(limit_s))
    try:
        await asyncio.wait([reading, pause], return_when=asyncio.FIRST_COMPLETED)
        if not (reading.done() or attempts.committed):
            raise _given_up(method, clock, call, limit_s)
        first: StreamAttempt = await reading
        return first
    finally:
        pause.cancel()
        reading.cancel()
        reading.add_done_callback(_retrieve_error)


def _given_up(method: Method, clock: Clock, call: CallState, limit_s: float) -> Any:
    """Cancel the attempt and count it as a failure of its instance."""
    call.attempt.cancel()
    subchannel: Any = call.subchannel
    error = snapshot(grpc.StatusCode.DEADLINE_EXCEEDED, gave_up(limit_s))
    attempt_outcome.failed(
        method,
        subchannel.record,
        error,
        latency_s=limit_s,
        timeout_s=limit_s,
        now_s=clock.monotonic(),
    )
    return error


def _retrieve_error(task: "asyncio.Task[Any]") -> None:
    """Retrieve the error of an attempt that was given up, which asyncio would log otherwise."""
    if not task.cancelled():
        task.exception()
