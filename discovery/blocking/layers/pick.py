"""Chooses the instance of each attempt; where there is none yet, the calling thread waits."""

from dataclasses import dataclass
from typing import Any

import grpc

from discovery.blocking.balancer import Balancer
from discovery.blocking.call_end import when_ended
from discovery.blocking.subchannel import Subchannel
from discovery.call.call_state import Layer, Outgoing, Send
from discovery.clock import Clock
from discovery.errors import NoInstanceError
from discovery.rules import deadline
from discovery.rules.method import CLIENT_STREAMS, Method

_FAILED = grpc.ChannelConnectivity.TRANSIENT_FAILURE


def layer(balancer: Balancer, *, clock: Clock) -> Layer:
    """Pick, and count the attempt in flight until it ends.

    As everywhere, what isn't retried once it may have been sent is only sent on a connection that
    is known to stand.
    """

    def build(method: Method, below: Send) -> Send:
        picks = Picks(method, balancer, clock)
        due = method.prompt

        def send(outgoing: Outgoing) -> Any:
            with balancer.changed:
                picked = picks.take(outgoing) or picks.wait(outgoing)
                picked.load.begin(outgoing.now_s, due=due)
                balancer.recent.append((outgoing.now_s, method.path, picked))
            outgoing.subchannel = picked
            try:
                sent = below(outgoing)
            except BaseException:
                balancer.release(picked, due=due)
                raise
            if outgoing.begins:
                when_ended(sent, lambda _: balancer.release(picked, due=due))
            else:
                balancer.release(picked, due=due)
            return sent

        return send

    return build


@dataclass(frozen=True, slots=True)
class Picks:
    """Picks for the calls of one method; used under the balancer's lock."""

    method: Method
    balancer: Balancer
    clock: Clock

    def take(self, outgoing: Outgoing) -> Subchannel | None:
        """Whom the picker names now; None: nobody can be picked yet.

        Raises the error of a spent deadline, NoInstanceError where a hedge finds nobody else, and
        ValueError on a closed channel, in grpc's words.
        """
        now_s = outgoing.now_s = self.clock.monotonic()
        if outgoing.deadline_s is not None and outgoing.deadline_s <= now_s:
            raise deadline.spent(self.method.path)
        picked = self.balancer.pick(now_s, outgoing.excluded)
        if not self.method.safe or self.method.kind in CLIENT_STREAMS:
            while picked is not None and not picked.is_still_ready():
                picked = self.balancer.pick(now_s, outgoing.excluded)
        if outgoing.elsewhere and (picked is None or picked in outgoing.excluded):
            raise NoInstanceError(f"{self.method.path}: no other instance")
        return picked

    def wait(self, outgoing: Outgoing) -> Subchannel:
        """Wait while something may become READY; with wait_for_ready, also when it can't.

        Raises NoInstanceError, and what `take` does.
        """
        waits = outgoing.wait_for_ready
        if waits is None:
            waits = self.method.wait_for_ready
        picked: Subchannel | None = None
        while picked is None:
            if self.balancer.state is _FAILED and not waits:
                raise NoInstanceError(f"{self.method.path}: {self.balancer.why_nothing()}")
            deadline_s = outgoing.deadline_s
            self.balancer.changed.wait(None if deadline_s is None else deadline_s - outgoing.now_s)
            picked = self.take(outgoing)
        if outgoing.record is not None:
            outgoing.record.picked_late()
        return picked
