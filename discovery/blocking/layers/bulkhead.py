"""Bounds the calls that one channel has in flight, by the rules of `discovery.rules.bulkhead`.

A call that waits for its turn waits in the thread that makes it, or in the channel's loop.
"""

import asyncio
import threading
from dataclasses import dataclass
from functools import partial
from typing import Any

from discovery.blocking.balancer import closed_meanwhile
from discovery.blocking.call_loop import resolve_soon
from discovery.blocking.end_of_call import on_call_end
from discovery.blocking.sent import BlockingLayer, BlockingSend, Sent
from discovery.call.call_state import CallState
from discovery.clock import Clock
from discovery.rules import deadline
from discovery.rules.bulkhead import Bulkhead, Permit
from discovery.rules.method import Method


def layer(
    bulkhead: Bulkhead | None,
    *,
    lock: threading.Condition,
    closing: threading.Event,
    clock: Clock,
) -> BlockingLayer:
    """Let calls in, make them wait, or refuse them; without a bulkhead, calls skip this layer."""

    def build(method: Method, below: BlockingSend) -> BlockingSend:
        if bulkhead is None:
            return below
        locked = LockedBulkhead(bulkhead, lock, closing, clock)
        below_in_loop: Any = below

        def send(call: CallState) -> Sent:
            if call.in_loop:
                return send_in_loop(call)
            permit = Permit(bulkhead)
            try:
                locked.enter(permit, method.path, call)
                sent = below(call)
            except BaseException:
                locked.leave(permit)
                raise
            if call.returns_rpc:
                on_call_end(sent, lambda _: locked.leave(permit))
            else:
                locked.leave(permit)
            return sent

        async def send_in_loop(call: CallState) -> Any:
            permit = Permit(bulkhead)
            try:
                await locked.enter_in_loop(permit, method.path, call)
                return await below_in_loop(call)
            finally:
                locked.leave(permit)

        return send

    return build


@dataclass(frozen=True, slots=True)
class LockedBulkhead:
    """Lets the calls of all threads in and out, under the lock."""

    bulkhead: Bulkhead
    lock: threading.Condition
    closing: threading.Event
    clock: Clock

    def enter(self, permit: Permit, path: str, call: CallState) -> None:
        """Enter at once, or wait in the queue.

        Raises LocalRefusalError (the queue is full, or the deadline passed), and CANCELLED when the
        channel is closed.
        """
        with self.lock:
            if self.bulkhead.try_enter(permit):
                return
            permit.on_granted = self.lock.notify_all
            self.bulkhead.join_queue(permit, path)
            try:
                self._wait(permit, path, call)
            finally:
                self.bulkhead.leave_queue(permit)
        if self.closing.is_set():
            raise closed_meanwhile()

    async def enter_in_loop(self, permit: Permit, path: str, call: CallState) -> None:
        """Do the same as `enter` in the channel's loop, whose tasks a closing channel cancels."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self.lock:
            if self.bulkhead.try_enter(permit):
                return
            permit.on_granted = partial(resolve_soon, turn)
            self.bulkhead.join_queue(permit, path)
        deadline_s = call.deadline_s
        try:
            await asyncio.wait(
                [turn], timeout=None if deadline_s is None else deadline_s - call.now_s
            )
        finally:
            with self.lock:
                self.bulkhead.leave_queue(permit)
        call.now_s = self.clock.monotonic()
        if not permit.held:
            raise deadline.spent(path)

    def leave(self, permit: Permit) -> None:
        """Leave, and let in the call that has waited longest."""
        with self.lock:
            permit.release()

    def _wait(self, permit: Permit, path: str, call: CallState) -> None:
        deadline_s = call.deadline_s
        while not permit.held and not self.closing.is_set():
            call.now_s = self.clock.monotonic()
            if deadline_s is not None and deadline_s <= call.now_s:
                raise deadline.spent(path)
            self.lock.wait(None if deadline_s is None else deadline_s - call.now_s)
        call.now_s = self.clock.monotonic()
