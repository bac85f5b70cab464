"""The state of one call while it passes through the layers of a stack."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING, Any, Protocol, Self

import grpc

if TYPE_CHECKING:
    import asyncio

    from discovery.balancing.picker_factory import Connection
    from discovery.call.metadata import Metadatum
    from discovery.registry.instance import Instance


class CallTelemetry(Protocol):
    """Records one call in spans and metrics."""

    def attempt(self, instance: Instance) -> AttemptTelemetry:
        """Record that an attempt begins on this instance."""
        ...

    def picked_late(self) -> None:
        """Record that the call had to wait for an instance."""
        ...

    def end(self, code: grpc.StatusCode | None) -> None:
        """Record the end of the call; None: it ended as its last attempt did."""
        ...


class AttemptTelemetry(Protocol):
    """Records one attempt in spans and metrics."""

    def headers(self, metadata: tuple[Metadatum, ...] | None) -> tuple[Metadatum, ...] | None:
        """Return the metadata with the trace context of this attempt added."""
        ...

    def end(self, code: grpc.StatusCode) -> None:
        """Record the end of the attempt."""
        ...


class RepeatableStream(Protocol):
    """The attempts of a stream of responses of which the caller has seen nothing yet."""

    committed_attempt: Any

    @property
    def committed(self) -> bool:
        """Whether the caller has seen something of an attempt."""
        ...

    async def first_message(self, sent: Any) -> Any:
        """Wait for the first message of what the stack sent."""
        ...

    async def initial_metadata(self, opening: asyncio.Task[Any]) -> grpc.aio.Metadata | None:
        """Return the first initial metadata of any attempt; None: `opening` was done before."""
        ...


class CallState:
    """What a call carries down the stack; layers read and change it.

    Of the call:

    - `request`: the serialized message; of a client stream an iterator of messages, or None where
      the caller writes them one by one.
    - `metadata`: what the caller gave; `headers`: what the next attempt sends.
    - `deadline_s`, `now_s`: monotonic seconds. `now_s` is when the current attempt began.
    - `telemetry`: records the call, where OpenTelemetry is configured.
    - `on_end`: called when a stream has ended.
    - `holds_permit`: it has a permit of the bulkhead (unary calls of the asyncio driver only).

    Of its attempts:

    - `attempt`: the current one, a call of grpc's own.
    - `attempts_before`: how many were sent before it. `excluded`: the subchannels they went to.
    - `failed_before`: how many failed before it, also those that found no instance.
    - `other_instance_only`: a hedge may go only to an instance that isn't excluded.
    - `uncommitted`: the attempts of a stream that may still be repeated (asyncio driver only).

    Of the blocking driver only:

    - `codec`: the program's serializer and deserializer.
    - `returns_rpc`: the stack returns grpc's call under way instead of its outcome.
    - `in_loop`: it runs in the channel's loop, where nothing may block (`future()`).
    """

    # Class-level defaults save an assignment per call: most calls never change these.
    attempt: Any = None
    attempts_before: int = 0
    codec: tuple[Any, Any] = (None, None)
    deadline_s: float | None = None
    excluded: tuple[Connection, ...] = ()
    failed_before: int = 0
    holds_permit: bool = False
    in_loop: bool = False
    now_s: float = 0.0
    on_end: Callable[[], None] | None = None
    other_instance_only: bool = False
    returns_rpc: bool = False
    subchannel: Connection | None = None
    telemetry: CallTelemetry | None = None
    uncommitted: RepeatableStream | None = None

    def __init__(  # noqa: PLR0917 - keywords cost a dict for each call
        self,
        request: Any,
        timeout_s: float | None,
        metadata: tuple[Metadatum, ...] | None,
        credentials: grpc.CallCredentials | None,
        wait_for_ready: bool | None,  # noqa: FBT001 - named as in grpc.aio
        compression: grpc.Compression | None,
    ) -> None:
        self.request = request
        self.timeout_s = timeout_s
        self.metadata = self.headers = metadata
        self.credentials = credentials
        self.wait_for_ready = wait_for_ready
        self.compression = compression

    def arguments(self) -> dict[str, Any]:
        """Return the keywords for grpc's multicallable of an attempt that begins now."""
        deadline_s = self.deadline_s
        return {
            "timeout": None if deadline_s is None else deadline_s - self.now_s,
            "metadata": self.headers,
            "credentials": self.credentials,
            "compression": self.compression,
        }

    def turn_to_next(self) -> None:
        """Prepare the next attempt after a failed one: prefer another instance."""
        self.failed_before += 1
        if self.subchannel is not None:
            # Without a picked instance nothing was sent, so no attempt was made.
            self.attempts_before += 1
            self.excluded = (*self.excluded, self.subchannel)
            self.subchannel = None

    def hedge(self, now_s: float) -> Self | None:
        """Return a second attempt for another instance; None: the first has no instance yet."""
        if self.subchannel is None:
            return None
        second = copy(self)
        second.attempt = second.subchannel = None
        second.attempts_before = self.attempts_before + 1
        second.excluded = (*self.excluded, self.subchannel)
        second.other_instance_only = True
        second.now_s = now_s
        return second

    def take_over(self, winner: Self) -> None:
        """Continue with the attempt that won the race of hedges."""
        self.attempt, self.subchannel = winner.attempt, winner.subchannel
        self.now_s = winner.now_s

    def count_failed_hedge(self, second: Self) -> None:
        """Count the second attempt of a lost race as one that was made."""
        self.attempts_before += 1
        if second.subchannel is not None:
            self.excluded = (*self.excluded, second.subchannel)
