"""A clock that a synchronous test adjusts, and waits for a channel's connections."""

from datetime import datetime

import grpc

from discovery import blocking
from discovery.blocking.subchannel import Subchannel
from discovery.clock import SystemClock
from tests.support.discovery.probe_service import Probe, path


class AdjustableClock:
    """Implements discovery.clock.Clock: returns the time a test sets, and sleeps in real time."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self.stands_at_s: float | None = None
        self._machine = SystemClock()

    def now(self) -> datetime:
        return self._machine.now()

    async def sleep(self, delay_s: float) -> None:
        await self._machine.sleep(delay_s)

    def monotonic(self) -> float:
        """The machine's time, or the time the test stopped it at, plus what the test added."""
        now_s = self._machine.monotonic() if self.stands_at_s is None else self.stands_at_s
        return now_s + self.ahead_s


def ready(channel: blocking.BlockingChannel, number: int) -> list[Subchannel]:
    """Wait until this many instances can be picked; return the connections."""
    balancer = channel.process_state().balancer
    with balancer.changed:
        assert balancer.changed.wait_for(
            lambda: (
                sum(one.state is grpc.ChannelConnectivity.READY for one in balancer.subchannels)
                >= number
            ),
            60,
        )
        return list(balancer.subchannels)


def subchannel_of(channel: blocking.BlockingChannel, probe: Probe) -> Subchannel:
    """The connection to a server."""
    subchannels = channel.process_state().balancer.subchannels
    (found,) = (one for one in subchannels if one.instance.endpoint == probe.address)
    return found


def post(channel: blocking.BlockingChannel, times: int) -> list[str]:
    """The names of the servers that answered some calls without retries; "-" for an error."""
    answers = []
    for _ in range(times):
        try:
            answers.append(channel.unary_unary(path("Post"))(b"x").decode().removesuffix(":x"))
        except grpc.RpcError:
            answers.append("-")
    return answers
