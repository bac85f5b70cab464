"""The state of one call on its way down the stack, and the shape of the stack's layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    from discovery.aio.stream_attempts import Opening
    from discovery.balancing.picker_factory import Connection
    from discovery.call.metadata import Metadatum
    from discovery.rules.method import Method
    from discovery.telemetry.spans import CallRecord


class Outgoing:
    """What the call owns; layers read and write it, and pass it on.

    `request` is the serialized message (for client streams an iterator of those, or None where
    the caller writes) and `headers` the metadata as sent. The current attempt, a call of grpc's
    own, began at `now_s` (monotonic). `excluded` are the subchannels that were tried; `opening`
    holds the attempts of a stream that may still be repeated. A hedge goes `elsewhere`: only to an
    instance that isn't excluded. A stream that is over tells `ended`; `record` tells of the call,
    where anybody listens.

    Of a blocking call, `codec` are the program's serializer and deserializer, `begins` asks for
    attempts under way and not for their outcome, and `told` is told each of them.
    """

    # What most calls never change costs them nothing.
    attempt: Any = None
    attempts: int = 0
    begins: bool = False
    codec: tuple[Any, Any] = (None, None)
    deadline_s: float | None = None
    elsewhere: bool = False
    ended: Callable[[], None] | None = None
    excluded: tuple[Connection, ...] = ()
    now_s: float = 0.0
    opening: Opening | None = None
    record: CallRecord | None = None
    subchannel: Connection | None = None
    told: Callable[[Any], None] | None = None

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
        """What an attempt that begins now is called with, but for the request."""
        deadline_s = self.deadline_s
        return {
            "timeout": None if deadline_s is None else deadline_s - self.now_s,
            "metadata": self.headers,
            "credentials": self.credentials,
            "compression": self.compression,
        }

    def turn_to_next(self) -> None:
        """The attempt failed: the next one goes to another instance while there is one."""
        if self.subchannel is not None:
            # Where nothing was picked, nothing was sent, and no attempt came before the next.
            self.attempts += 1
            self.excluded = (*self.excluded, self.subchannel)
            self.subchannel = None


# Sends a call down. A unary call comes back as an awaitable of the response's bytes; a stream as
# the picked instance's own grpc.aio call, or, where it isn't open at once, as a `Later` of that or
# of an `Opened`.
Send = Callable[[Outgoing], Any]

# Builds one layer of one method's stack above the layer below it.
Layer = Callable[["Method", Send], Send]
