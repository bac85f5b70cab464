"""Picks the instance of each attempt.

While there is none to pick, the calling thread waits, or a task of the channel's loop.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import grpc

from discovery.balancing.ejector import return_probe
from discovery.balancing.unserved import avoiding
from discovery.blocking.balancer import Balancer
from discovery.blocking.end_of_call import on_attempt_end
from discovery.blocking.sent import BlockingLayer, BlockingSend, Sent
from discovery.blocking.subchannel import Subchannel
from discovery.call.call_state import CallState
from discovery.clock import Clock
from discovery.errors import NoInstanceError
from discovery.rules import deadline
from discovery.rules.method import CLIENT_STREAMS, Method

_READY = grpc.ChannelConnectivity.READY
_FAILED = grpc.ChannelConnectivity.TRANSIENT_FAILURE


def layer(balancer: Balancer, *, clock: Clock) -> BlockingLayer:
    """Pick an instance, and count the attempt as in flight until it ends.

    A call that can't be retried once it may have been sent goes only to a connection that is READY
    at this moment.
    """

    def build(method: Method, below: BlockingSend) -> BlockingSend:
        picks = MethodPicks(method, balancer, clock)

        def send(call: CallState) -> Sent:
            if call.in_loop and not call.other_instance_only:
                return send_in_loop(call)
            with balancer.changed:
                picked = picks.take(call) or picks.wait(call)
                picks.begin(call, picked)
            return picks.send_to(picked, call, below)

        async def send_in_loop(call: CallState) -> Any:
            picked = await picks.wait_in_loop(call)
            return picks.send_to(picked, call, below)

        return send

    return build


@dataclass(frozen=True, slots=True)
class MethodPicks:
    """Picks for the calls of one method; its users hold the balancer's lock."""

    method: Method
    balancer: Balancer
    clock: Clock

    def take(self, call: CallState) -> Subchannel | None:
        """Return the picker's choice; None: no instance can be picked yet.

        Raises LocalRefusalError (the deadline passed), NoInstanceError (a hedge found no other
        instance), and CANCELLED when the channel was closed meanwhile.
        """
        now_s = call.now_s = self.clock.monotonic()
        if call.deadline_s is not None and call.deadline_s <= now_s:
            has_any = self.balancer.state is _READY
            raise deadline.spent(self.method.path, "" if has_any else self.balancer.why_nothing())
        excluded = call.excluded
        if self.method.unserved:
            excluded = avoiding(self.method, self.balancer.subchannels, excluded, now_s)
        picked = self.balancer.pick(now_s, excluded)
        if not self.method.safe or self.method.kind in CLIENT_STREAMS:
            while picked is not None and not picked.is_still_ready():
                return_probe(picked.record, now_s)
                picked = self.balancer.pick(now_s, excluded)
        if call.other_instance_only and (picked is None or picked in call.excluded):
            raise NoInstanceError(f"{self.method.path}: no other instance")
        return picked

    def wait(self, call: CallState) -> Subchannel:
        """Wait while an instance may become READY; with wait_for_ready, also when all have failed.

        Raises what `check_may_wait` and `take` raise.
        """
        picked: Subchannel | None = None
        while picked is None:
            self.check_may_wait(call)
            self.balancer.changed.wait(self.limit_s(call))
            picked = self.take(call)
        if call.telemetry is not None:
            call.telemetry.picked_late()
        return picked

    async def wait_in_loop(self, call: CallState) -> Subchannel:
        """Do the same as `wait` in the channel's loop, and begin the attempt; takes the lock."""
        waited = False
        while True:
            with self.balancer.changed:
                picked = self.take(call)
                if picked is not None:
                    self.begin(call, picked)
                    break
                self.check_may_wait(call)
                change = self.balancer.change()
            waited = True
            await asyncio.wait([change], timeout=self.limit_s(call))
        if waited and call.telemetry is not None:
            call.telemetry.picked_late()
        return picked

    def check_may_wait(self, call: CallState) -> None:
        """Raise NoInstanceError if all have failed and the call isn't to wait for them."""
        waits = call.wait_for_ready
        if waits is None:
            waits = self.method.wait_for_ready
        if self.balancer.state is _FAILED and not waits:
            raise NoInstanceError(f"{self.method.path}: {self.balancer.why_nothing()}")

    @staticmethod
    def limit_s(call: CallState) -> float | None:
        """How long the call may wait for a change; None: without a limit."""
        return None if call.deadline_s is None else call.deadline_s - call.now_s

    def begin(self, call: CallState, picked: Subchannel) -> None:
        """Count the attempt as in flight."""
        picked.load.begin(call.now_s, due=self.method.prompt)
        picked.calls += 1
        self.balancer.recent.append((call.now_s, self.method.path, picked))
        call.subchannel = picked

    def send_to(self, picked: Subchannel, call: CallState, below: BlockingSend) -> Sent:
        """Send the attempt; it counts as in flight until it ends. Takes the lock for its end."""
        release, due = self.balancer.release, self.method.prompt
        try:
            sent = below(call)
        except BaseException:
            release(picked, due=due)
            raise
        if call.returns_rpc:
            on_attempt_end(sent, lambda _: release(picked, due=due))
        else:
            release(picked, due=due)
        return sent
