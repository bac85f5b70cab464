"""The state of one synchronous call, and the picks of its attempts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc

from discovery import attempts, deadline
from discovery.blocking.connected import Connected
from discovery.blocking.subchannel import Subchannel
from discovery.errors import NoInstanceError
from discovery.metadata import Metadatum
from discovery.method import Method

_FAILED = grpc.ChannelConnectivity.TRANSIENT_FAILURE


@dataclass(slots=True)
class Outgoing:
    """What the call owns. `attempts` came before the current one, on the `excluded` subchannels."""

    method: Method
    deadline_s: float | None
    metadata: tuple[Metadatum, ...] | None
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None
    attempts: int = 0
    excluded: tuple[Subchannel, ...] = ()
    now_s: float = 0.0

    def pick(self, connected: Connected) -> Subchannel:
        """Wait while something may become READY, then pick; `release` it when the attempt ends.

        Raises NoInstanceError once all is in TRANSIENT_FAILURE (with wait_for_ready it waits on),
        LocalRefusalError when the deadline comes first, ValueError on a closed channel.
        """
        waits = self.method.wait_for_ready if self.wait_for_ready is None else self.wait_for_ready
        balancer = connected.balancer
        with balancer.changed:
            while True:
                now_s = self.now_s = connected.clock.monotonic()
                remaining_s = None if self.deadline_s is None else self.deadline_s - now_s
                if remaining_s is not None and remaining_s <= 0:
                    raise deadline.spent(self.method.path)
                picked = balancer.pick(self.excluded)
                if picked is not None:
                    return picked
                if balancer.state is _FAILED and not waits:
                    raise NoInstanceError(f"{self.method.path}: {balancer.why_nothing()}")
                balancer.changed.wait(remaining_s)

    def arguments(self) -> dict[str, Any]:
        """What an attempt that begins now is called with."""
        headers = self.metadata
        before = self.attempts + attempts.current()
        if before:
            headers = (*(headers or ()), (attempts.ATTEMPT_KEY, str(before)))
        return {
            "timeout": None if self.deadline_s is None else self.deadline_s - self.now_s,
            "metadata": headers,
            "credentials": self.credentials,
            "compression": self.compression,
        }

    def remaining(self, connected: Connected) -> Callable[[], float | None]:
        """Says how many seconds are left until the deadline; None without one."""
        deadline_s, monotonic = self.deadline_s, connected.clock.monotonic
        return lambda: None if deadline_s is None else max(0.0, deadline_s - monotonic())
