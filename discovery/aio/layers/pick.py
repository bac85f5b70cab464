"""Picks the instance of each attempt, and waits while there is none to pick."""

import asyncio
from functools import partial
from typing import Any

import grpc

from discovery.aio.balancer import Balancer
from discovery.aio.layers.by_kind import by_kind
from discovery.aio.sent import AioLayer, PendingStream, StreamSend, StreamSent, UnarySend
from discovery.balancing.ejector import return_probe
from discovery.balancing.unserved import avoiding
from discovery.call.call_state import CallState
from discovery.call.stack_building import Send, SentT
from discovery.clock import Clock
from discovery.errors import NoInstanceError
from discovery.rules import deadline
from discovery.rules.method import CLIENT_STREAMS, Method

_FAILED = grpc.ChannelConnectivity.TRANSIENT_FAILURE


def layer(balancer: Balancer, *, clock: Clock) -> AioLayer:
    """Pick an instance without awaiting; only a call that has to wait costs a coroutine."""
    return by_kind(unary=partial(_unary, balancer, clock), stream=partial(_stream, balancer, clock))


def _unary(balancer: Balancer, clock: Clock, method: Method, below: UnarySend) -> UnarySend:
    async def send_later(call: CallState) -> Any:
        await pick_later(balancer, method, call, clock)
        return await below(call)

    return _pick_now(balancer, method, below, send_later)


def _stream(balancer: Balancer, clock: Clock, method: Method, below: StreamSend) -> StreamSend:
    async def send_later(call: CallState) -> StreamSent:
        await pick_later(balancer, method, call, clock)
        return below(call)

    def wait(call: CallState) -> StreamSent:
        return PendingStream(partial(send_later, call))

    return _pick_now(balancer, method, below, wait)


def _pick_now(
    balancer: Balancer, method: Method, below: Send[SentT], wait: Send[SentT]
) -> Send[SentT]:
    """Pick and send; `wait` where nothing can be picked yet.

    A call that can't be retried once it may have been sent goes only to a connection that is READY
    at this moment. Other calls skip the check: they are retried if the connection is gone.
    """
    hedges = method.hedging is not None
    checks_connection = not method.safe or method.kind in CLIENT_STREAMS
    path, note, unserved = method.path, balancer.recent.append, method.unserved

    def send(call: CallState) -> SentT:
        excluded = call.excluded
        if unserved:
            excluded = avoiding(method, balancer.subchannels, excluded, call.now_s)
        picked = balancer.pick(call.now_s, excluded)
        while checks_connection and picked is not None and not picked.is_still_ready():
            return_probe(picked.record, call.now_s)
            picked = balancer.pick(call.now_s, excluded)
        if hedges and call.other_instance_only and (picked is None or picked in call.excluded):
            raise NoInstanceError(f"{method.path}: no other instance")
        if picked is None:
            return wait(call)
        call.subchannel = picked
        note((call.now_s, path, picked))
        return below(call)

    return send


async def pick_later(balancer: Balancer, method: Method, call: CallState, clock: Clock) -> None:
    """Wait while an instance may still become READY, then pick.

    Raises NoInstanceError once all are in TRANSIENT_FAILURE (with wait_for_ready it goes on
    waiting), the error of a spent deadline when that comes first, and CancelledError when the
    channel is closed.
    """
    wait_for_ready = call.wait_for_ready
    if wait_for_ready is None:
        wait_for_ready = method.wait_for_ready
    while True:
        try:
            now_s = clock.monotonic()
            excluded = avoiding(method, balancer.subchannels, call.excluded, now_s)
            picked = balancer.pick(now_s, excluded)
        except grpc.aio.UsageError:
            raise asyncio.CancelledError from None
        call.now_s = clock.monotonic()
        if call.deadline_s is not None and call.deadline_s <= call.now_s:
            raise deadline.spent(method.path, "" if picked else balancer.why_nothing())
        if picked is not None:
            call.subchannel = picked
            balancer.recent.append((call.now_s, method.path, picked))
            if call.telemetry is not None:
                call.telemetry.picked_late()
            return
        if balancer.state is _FAILED and not wait_for_ready:
            raise NoInstanceError(f"{method.path}: {balancer.why_nothing()}")
        await _change(balancer, call, clock)


async def _change(balancer: Balancer, call: CallState, clock: Clock) -> None:
    """Wait for a change of the balancer, at most until the deadline."""
    change = balancer.change()
    with balancer.waiting_calls.one(change.cancel):
        if call.deadline_s is None:
            await change
            return
        loop = asyncio.get_running_loop()
        deadline_passes = loop.create_task(clock.sleep(call.deadline_s - call.now_s))
        try:
            await asyncio.wait([change, deadline_passes], return_when=asyncio.FIRST_COMPLETED)
        finally:
            change.cancel()
            deadline_passes.cancel()
