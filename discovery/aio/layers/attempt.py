"""One attempt: the picked instance's own multicallable, in flight until it ends."""

from collections.abc import Callable
from functools import partial
from typing import Any

import grpc

from discovery.balancing import attempt_outcome
from discovery.balancing.instance_stats import Record
from discovery.balancing.load import Load
from discovery.call.call_state import Layer, Outgoing, Send
from discovery.call.call_status import at_once, cancel_collected
from discovery.clock import Clock
from discovery.rules.method import Kind, Method


def layer(*, clock: Clock) -> Layer:
    """Send on the picked subchannel, and observe how it ends."""

    def build(method: Method, _nothing_below: Send) -> Send:
        build_kind = _unary if method.kind is Kind.UNARY_UNARY else _stream
        return build_kind(method, clock.monotonic)

    return build


def _unary(method: Method, monotonic: Callable[[], float]) -> Send:
    due = method.prompt

    async def send(outgoing: Outgoing) -> Any:
        subchannel: Any = outgoing.subchannel
        record = subchannel.record
        load = record.load
        now_s = outgoing.now_s
        timeout_s = None if outgoing.deadline_s is None else outgoing.deadline_s - now_s
        multicallable = subchannel.multicallables.get(method) or subchannel.multicallable(method)
        call = outgoing.attempt = multicallable(
            outgoing.request,
            timeout=timeout_s,
            metadata=outgoing.headers,
            credentials=outgoing.credentials,
            compression=outgoing.compression,
        )
        load.begin(now_s, due=due)
        # Not told to `outgoing`, which would end in a cycle with the call, and so be garbage.
        ended: list[float] = []
        call.add_done_callback(partial(_unary_ended, load, ended, monotonic, due=due))
        try:
            response = await call
        except grpc.aio.AioRpcError as error:
            ended_s = ended[0]
            attempt_outcome.failed(
                method, record, error, latency_s=ended_s - now_s, timeout_s=timeout_s, now_s=ended_s
            )
            raise
        except GeneratorExit:
            # Collected unawaited, as grpc.aio would have it.
            cancel_collected(call.cancel, subchannel.loop)
            raise
        ended_s = ended[0]
        attempt_outcome.succeeded(method, record, ended_s - now_s, ended_s)
        return response

    return send


def _unary_ended(
    load: Load,
    ended: list[float],
    monotonic: Callable[[], float],
    _call: grpc.aio.Call,
    *,
    due: bool,
) -> None:
    """However it ended, and whether or not anybody awaits it."""
    load.end(due=due)
    ended.append(monotonic())


def _stream(method: Method, monotonic: Callable[[], float]) -> Send:
    def send(outgoing: Outgoing) -> Any:
        subchannel: Any = outgoing.subchannel
        multicallable = subchannel.multicallables.get(method) or subchannel.multicallable(method)
        call = outgoing.attempt = multicallable(outgoing.request, **outgoing.arguments())
        record = subchannel.record
        record.load.begin(outgoing.now_s, due=False)
        call.add_done_callback(partial(_stream_ended, record, method, outgoing.now_s, monotonic))
        return call

    return send


def _stream_ended(
    record: Record,
    method: Method,
    began_s: float,
    monotonic: Callable[[], float],
    call: grpc.aio.Call,
) -> None:
    record.load.end(due=False)
    now_s = monotonic()
    code = at_once(call.code())
    attempt_outcome.stream_failed(method, record, code, latency_s=now_s - began_s, now_s=now_s)


def first_message(method: Method, now_s: float, outgoing: Outgoing) -> None:
    """A stream's first message arrived: its latency, from the start or the last request written."""
    if outgoing.subchannel is not None:
        attempt_outcome.succeeded(method, outgoing.subchannel.record, now_s - outgoing.now_s, now_s)
