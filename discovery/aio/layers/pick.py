"""Chooses the instance of each attempt, and waits where there is nothing to choose from yet."""

import asyncio
from functools import partial
from typing import Any

import grpc

from discovery.aio.balancer import Balancer
from discovery.aio.stream_attempts import Later
from discovery.call.call_state import Layer, Outgoing, Send
from discovery.clock import Clock
from discovery.errors import NoInstanceError
from discovery.rules import deadline
from discovery.rules.method import CLIENT_STREAMS, Kind, Method

_FAILED = grpc.ChannelConnectivity.TRANSIENT_FAILURE


def layer(balancer: Balancer, *, clock: Clock) -> Layer:
    """Pick synchronously; a coroutine is made only where the call has to wait.

    What isn't retried once it may have been sent is only sent on a connection that is known to
    stand; the others are retried if it doesn't.
    """

    def build(method: Method, below: Send) -> Send:
        hedges = method.hedging is not None
        asks_again = not method.safe or method.kind in CLIENT_STREAMS

        path, note = method.path, balancer.recent.append

        def send(outgoing: Outgoing) -> Any:
            picked = balancer.pick(outgoing.now_s, outgoing.excluded)
            while asks_again and picked is not None and not picked.is_still_ready():
                picked = balancer.pick(outgoing.now_s, outgoing.excluded)
            if hedges and outgoing.elsewhere and (picked is None or picked in outgoing.excluded):
                raise NoInstanceError(f"{method.path}: no other instance")
            if picked is None:
                return waiting(outgoing)
            outgoing.subchannel = picked
            note((outgoing.now_s, path, picked))
            return below(outgoing)

        async def unary_later(outgoing: Outgoing) -> Any:
            await pick_later(balancer, method, outgoing, clock)
            return await below(outgoing)

        async def stream_later(outgoing: Outgoing) -> Any:
            await pick_later(balancer, method, outgoing, clock)
            return below(outgoing)

        def stream_waits(outgoing: Outgoing) -> Later:
            return Later(partial(stream_later, outgoing))

        waiting = unary_later if method.kind is Kind.UNARY_UNARY else stream_waits
        return send

    return build


async def pick_later(balancer: Balancer, method: Method, outgoing: Outgoing, clock: Clock) -> None:
    """Wait while something may become READY, then pick.

    Raises NoInstanceError once all is in TRANSIENT_FAILURE (with wait_for_ready it waits on), the
    error of a spent deadline when that comes first, CancelledError when the channel is closed.
    """
    wait_for_ready = outgoing.wait_for_ready
    if wait_for_ready is None:
        wait_for_ready = method.wait_for_ready
    while True:
        try:
            picked = balancer.pick(clock.monotonic(), outgoing.excluded)
        except grpc.aio.UsageError:
            raise asyncio.CancelledError from None
        outgoing.now_s = clock.monotonic()
        if outgoing.deadline_s is not None and outgoing.deadline_s <= outgoing.now_s:
            raise deadline.spent(method.path)
        if picked is not None:
            outgoing.subchannel = picked
            balancer.recent.append((outgoing.now_s, method.path, picked))
            if outgoing.record is not None:
                outgoing.record.picked_late()
            return
        if balancer.state is _FAILED and not wait_for_ready:
            raise NoInstanceError(f"{method.path}: {balancer.why_nothing()}")
        await _change(balancer, outgoing, clock)


async def _change(balancer: Balancer, outgoing: Outgoing, clock: Clock) -> None:
    """Wait for a change of the balancer, at most until the deadline."""
    change = balancer.change()
    if outgoing.deadline_s is None:
        await change
        return
    loop = asyncio.get_running_loop()
    time_is_over = loop.create_task(clock.sleep(outgoing.deadline_s - outgoing.now_s))
    try:
        await asyncio.wait([change, time_is_over], return_when=asyncio.FIRST_COMPLETED)
    finally:
        change.cancel()
        time_is_over.cancel()
