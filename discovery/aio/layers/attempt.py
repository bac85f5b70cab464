"""Sends one attempt on the picked subchannel and records how it ends."""

from collections.abc import Callable
from functools import partial
from typing import Any

import grpc

from discovery.aio.call_status import at_once, cancel_collected, when_final
from discovery.aio.layers.by_kind import by_kind
from discovery.aio.sent import AioLayer, StreamSend, StreamSent, UnarySend
from discovery.aio.subchannel import Subchannel
from discovery.balancing import attempt_outcome
from discovery.balancing.load import Load
from discovery.balancing.unconnected import was_lost
from discovery.call.call_state import CallState
from discovery.clock import Clock
from discovery.rules.method import Method


def layer(*, clock: Clock) -> AioLayer:
    """Send on the picked subchannel; record the outcome in its load, ejection and breaker."""
    return by_kind(unary=partial(_unary, clock.monotonic), stream=partial(_stream, clock.monotonic))


def _unary(monotonic: Callable[[], float], method: Method, _nothing_below: UnarySend) -> UnarySend:
    due = method.prompt

    async def send(call: CallState) -> Any:
        subchannel: Any = call.subchannel  # the pick layer sets a Subchannel of this driver
        record = subchannel.record
        load = record.load
        now_s = call.now_s
        timeout_s = None if call.deadline_s is None else call.deadline_s - now_s
        multicallable = subchannel.multicallables.get(method) or subchannel.multicallable(method)
        rpc = call.attempt = multicallable(
            call.request,
            timeout=timeout_s,
            metadata=call.headers,
            credentials=call.credentials,
            compression=call.compression,
        )
        load.begin(now_s, due=due)
        # A list, since a callback that referred to `call` would form a cycle with `call.attempt`,
        # and every call would be left to the garbage collector.
        ended: list[float] = []
        rpc.add_done_callback(partial(_unary_ended, load, ended, monotonic, due=due))
        try:
            response = await rpc
        except grpc.aio.AioRpcError as error:
            ended_s = ended[0]
            attempt_outcome.failed(
                method,
                record,
                error,
                latency_s=ended_s - now_s,
                timeout_s=timeout_s,
                now_s=ended_s,
                lost=was_lost(error.code(), subchannel),
            )
            raise
        except GeneratorExit:
            # The call was collected before anybody awaited it: cancel it, as grpc.aio does.
            cancel_collected(rpc.cancel, subchannel.loop)
            raise
        ended_s = ended[0]
        attempt_outcome.succeeded(method, record, ended_s - now_s, ended_s)
        return response

    return send


def _unary_ended(
    load: Load,
    ended: list[float],
    monotonic: Callable[[], float],
    _rpc: grpc.aio.Call,
    *,
    due: bool,
) -> None:
    """Record the end, whatever the status is and whether or not the call is awaited."""
    load.end(due=due)
    ended.append(monotonic())


def _stream(
    monotonic: Callable[[], float], method: Method, _nothing_below: StreamSend
) -> StreamSend:
    def send(call: CallState) -> StreamSent:
        subchannel: Any = call.subchannel  # the pick layer sets a Subchannel of this driver
        multicallable = subchannel.multicallables.get(method) or subchannel.multicallable(method)
        rpc: grpc.aio.Call = multicallable(call.request, **call.arguments())
        call.attempt = rpc
        subchannel.load.begin(call.now_s, due=False)
        rpc.add_done_callback(partial(_stream_ended, subchannel, method, call.now_s, monotonic))
        return rpc

    return send


def _stream_ended(
    subchannel: Subchannel,
    method: Method,
    began_s: float,
    monotonic: Callable[[], float],
    rpc: grpc.aio.Call,
) -> None:
    subchannel.load.end(due=False)
    now_s = monotonic()

    def ended(code: grpc.StatusCode) -> None:
        details = at_once(rpc.details()) if code is grpc.StatusCode.RESOURCE_EXHAUSTED else None
        attempt_outcome.stream_failed(
            method,
            subchannel.record,
            code,
            latency_s=now_s - began_s,
            now_s=now_s,
            details=details,
            lost=was_lost(code, subchannel),
        )

    when_final(rpc, ended)
