"""Picks the instance of each attempt; the calling thread waits while there is none to pick."""

from dataclasses import dataclass

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
        due = method.prompt

        def send(call: CallState) -> Sent:
            with balancer.changed:
                picked = picks.take(call) or picks.wait(call)
                picked.load.begin(call.now_s, due=due)
                balancer.recent.append((call.now_s, method.path, picked))
            call.subchannel = picked
            try:
                sent = below(call)
            except BaseException:
                balancer.release(picked, due=due)
                raise
            if call.returns_rpc:
                on_attempt_end(sent, lambda _: balancer.release(picked, due=due))
            else:
                balancer.release(picked, due=due)
            return sent

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

        Raises NoInstanceError, and what `take` raises.
        """
        waits = call.wait_for_ready
        if waits is None:
            waits = self.method.wait_for_ready
        picked: Subchannel | None = None
        while picked is None:
            if self.balancer.state is _FAILED and not waits:
                raise NoInstanceError(f"{self.method.path}: {self.balancer.why_nothing()}")
            deadline_s = call.deadline_s
            self.balancer.changed.wait(None if deadline_s is None else deadline_s - call.now_s)
            picked = self.take(call)
        if call.telemetry is not None:
            call.telemetry.picked_late()
        return picked
