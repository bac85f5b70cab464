"""A bound to what one channel has in flight, so that a slow service can't take all of a caller.

The rules are those of `discovery.rules.bulkhead`; here a call waits in its event loop.
"""

import asyncio
from functools import partial
from typing import Any

from discovery.aio.stream_attempts import Later
from discovery.call.call_state import Layer, Outgoing, Send
from discovery.clock import Clock
from discovery.rules import deadline
from discovery.rules.bulkhead import Bulkhead, Place
from discovery.rules.method import Kind, Method


def layer(bulkhead: Bulkhead | None, *, clock: Clock) -> Layer:
    """Let calls in; without a bulkhead it is no layer at all."""

    def build(method: Method, below: Send) -> Send:
        if bulkhead is None:
            return below
        of_kind = _unary if method.kind is Kind.UNARY_UNARY else _stream
        return of_kind(bulkhead, method, below, clock)

    return build


def _unary(bulkhead: Bulkhead, method: Method, below: Send, clock: Clock) -> Send:
    async def send(outgoing: Outgoing) -> Any:
        place = Place(bulkhead)
        try:
            if not bulkhead.enter(place):
                await _wait(bulkhead, place, method, outgoing, clock)
            return await below(outgoing)
        finally:
            place.leave()

    return send


def _stream(bulkhead: Bulkhead, method: Method, below: Send, clock: Clock) -> Send:
    def send(outgoing: Outgoing) -> Any:
        place = Place(bulkhead)
        outgoing.ended = place.leave
        if not bulkhead.enter(place):
            return Later(partial(later, place, outgoing))
        try:
            return below(outgoing)
        except BaseException:
            place.leave()
            raise

    async def later(place: Place, outgoing: Outgoing) -> Any:
        await _wait(bulkhead, place, method, outgoing, clock)
        sent = below(outgoing)
        return await sent.start() if isinstance(sent, Later) else sent

    return send


async def _wait(
    bulkhead: Bulkhead, place: Place, method: Method, outgoing: Outgoing, clock: Clock
) -> None:
    """Wait in line for a place. Raises LocalRefusalError: the line is full, or time is over."""
    turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def given() -> None:
        # Also where the caller is cancelled in the same instant: `held` says that it has to leave.
        if not turn.done():
            turn.set_result(None)

    place.given = given
    bulkhead.stand_in_line(place, method.path)
    try:
        await _until_deadline(turn, outgoing, clock)
    finally:
        bulkhead.step_out(place)
    outgoing.now_s = clock.monotonic()
    if not place.held:
        raise deadline.spent(method.path)


async def _until_deadline(turn: "asyncio.Future[None]", outgoing: Outgoing, clock: Clock) -> None:
    if outgoing.deadline_s is None:
        await asyncio.wait([turn])
        return
    loop = asyncio.get_running_loop()
    time_is_over = loop.create_task(clock.sleep(outgoing.deadline_s - outgoing.now_s))
    try:
        await asyncio.wait([turn, time_is_over], return_when=asyncio.FIRST_COMPLETED)
    finally:
        time_is_over.cancel()
