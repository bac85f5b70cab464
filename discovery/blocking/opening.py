"""What all multicallables of a method do before the first attempt, and streams with their one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc

from discovery import deadline, observation
from discovery.blocking.connected import Connected
from discovery.blocking.errors import as_call
from discovery.blocking.outgoing import Outgoing
from discovery.blocking.subchannel import Subchannel
from discovery.clock import Clock
from discovery.metadata import MetadataLike, validated
from discovery.method import Method


@dataclass(frozen=True, slots=True)
class Opener:
    """One method of one channel. `connected` connects the process at its first call."""

    method: Method
    serializer: Callable[[Any], bytes] | None
    deserializer: Callable[[bytes], Any] | None
    connected: Callable[[], Connected]

    def outgoing(
        self,
        timeout_s: float | None,
        metadata: MetadataLike | None,
        credentials: grpc.CallCredentials | None,
        wait_for_ready: bool | None,  # noqa: FBT001 - as grpc orders them
        compression: grpc.Compression | None,
    ) -> Outgoing:
        """The state of a call that is made now. Raises InvalidMetadataError."""
        now_s = self.connected().clock.monotonic()
        return Outgoing(
            method=self.method,
            deadline_s=deadline.of_method(timeout_s, self.method, now_s=now_s),
            metadata=None if metadata is None else validated(metadata),
            credentials=credentials,
            wait_for_ready=wait_for_ready,
            compression=compression,
        )

    def multicallable(self, picked: Subchannel, outgoing: Outgoing) -> Any:
        """The instance's own, with the program's serializers."""
        return picked.multicallable(outgoing.method, self.serializer, self.deserializer)

    def open(self, outgoing: Outgoing) -> tuple[Connected, Subchannel]:
        """Pick for a call that is attempted once. Raises what kept it from being picked."""
        connected = self.connected()
        try:
            return connected, outgoing.pick(connected)
        except grpc.RpcError as error:
            raise as_call(error) from None

    def begun(self, outgoing: Outgoing, begin: Callable[[Subchannel], Any]) -> Any:
        """The call that is attempted once, counted until it ends; where nothing could be picked,
        the error, which is a call that has ended.
        """
        try:
            connected, picked = self.open(outgoing)
        except grpc.RpcError as error:
            return error
        try:
            call = begin(picked)
        except BaseException:
            connected.balancer.release(picked)
            raise
        call.add_done_callback(partial(ended, connected, outgoing, picked))
        return call


def ended(connected: Connected, outgoing: Outgoing, picked: Subchannel, call: Any) -> None:
    """A stream ended, by whichever side."""
    code = call.code()
    clock: Clock = connected.clock
    now_s = clock.monotonic()
    latency_s = now_s - outgoing.now_s
    with connected.balancer.changed:
        observation.stream_failed(
            outgoing.method, picked.record, code, latency_s=latency_s, now_s=now_s
        )
    connected.balancer.release(picked)
