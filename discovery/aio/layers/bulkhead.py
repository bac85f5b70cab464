"""Bounds the calls that one channel has in flight, by the rules of `discovery.rules.bulkhead`.

A slow service then can't occupy all of its caller. A call that waits for its turn waits in the
event loop.
"""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any

from discovery.aio.layers.by_kind import by_kind, no_layer
from discovery.aio.sent import AioLayer, PendingStream, StreamSend, StreamSent, UnarySend
from discovery.aio.waiting_calls import WaitingCalls
from discovery.call.call_state import CallState
from discovery.clock import Clock
from discovery.rules import deadline
from discovery.rules.bulkhead import Bulkhead, Permit
from discovery.rules.method import Method


def layer(bulkhead: Bulkhead | None, *, waiting_calls: WaitingCalls, clock: Clock) -> AioLayer:
    """Let calls in, or make them wait, or refuse them."""
    if bulkhead is None:
        return no_layer
    queue = _Queue(bulkhead, waiting_calls, clock)
    return by_kind(unary=partial(_unary, bulkhead, queue), stream=partial(_stream, bulkhead, queue))


def _unary(bulkhead: Bulkhead, queue: "_Queue", method: Method, below: UnarySend) -> UnarySend:
    async def send(call: CallState) -> Any:
        permit = Permit(bulkhead)
        try:
            if not bulkhead.try_enter(permit):
                await queue.wait(permit, method, call)
            call.holds_permit = True
            return await below(call)
        finally:
            permit.release()

    return send


def _stream(bulkhead: Bulkhead, queue: "_Queue", method: Method, below: StreamSend) -> StreamSend:
    def send(call: CallState) -> StreamSent:
        permit = Permit(bulkhead)
        call.on_end = permit.release
        if not bulkhead.try_enter(permit):
            return PendingStream(partial(send_later, permit, call))
        try:
            return below(call)
        except BaseException:
            permit.release()
            raise

    async def send_later(permit: Permit, call: CallState) -> StreamSent:
        await queue.wait(permit, method, call)
        sent = below(call)
        return await sent.start() if isinstance(sent, PendingStream) else sent

    return send


@dataclass(frozen=True, slots=True)
class _Queue:
    """The calls that wait for their turn."""

    bulkhead: Bulkhead
    waiting_calls: WaitingCalls
    clock: Clock

    async def wait(self, permit: Permit, method: Method, call: CallState) -> None:
        """Wait for the permit.

        Raises LocalRefusalError (the queue is full, or the deadline passed), and CancelledError
        when the channel is closed.
        """
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def granted() -> None:
            # The caller may be cancelled at the same moment; `held` then makes it leave again.
            if not turn.done():
                turn.set_result(None)

        permit.on_granted = granted
        self.bulkhead.join_queue(permit, method.path)
        try:
            with self.waiting_calls.one(turn.cancel):
                await self._until_deadline(turn, call)
        finally:
            self.bulkhead.leave_queue(permit)
        call.now_s = self.clock.monotonic()
        if turn.cancelled():
            # Also if another call, which ended with the channel, has just left it the permit.
            raise asyncio.CancelledError
        if not permit.held:
            raise deadline.spent(method.path)

    async def _until_deadline(self, turn: "asyncio.Future[None]", call: CallState) -> None:
        if call.deadline_s is None:
            await asyncio.wait([turn])
            return
        loop = asyncio.get_running_loop()
        deadline_passes = loop.create_task(self.clock.sleep(call.deadline_s - call.now_s))
        try:
            await asyncio.wait([turn, deadline_passes], return_when=asyncio.FIRST_COMPLETED)
        finally:
            deadline_passes.cancel()
