"""The state of one call on its way down the stack, and the shape of the stack's layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    from discovery.metadata import Metadatum
    from discovery.method import Method
    from discovery.opening import Opening
    from discovery.subchannel import Subchannel


class Outgoing:
    """What the call owns; layers read and write it, and pass it on.

    `request` is the serialized message (for client streams an async iterator of those, or None
    where the caller writes). `now_s` is the monotonic instant at which the current attempt
    begins, `excluded` the subchannels that were tried, `headers` the metadata as sent, `opening`
    the attempts of a stream that may still be repeated.
    """

    __slots__ = (
        "attempt",
        "attempts",
        "compression",
        "credentials",
        "deadline_s",
        "excluded",
        "headers",
        "metadata",
        "now_s",
        "opening",
        "request",
        "subchannel",
        "timeout_s",
        "wait_for_ready",
    )

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
        self.deadline_s: float | None = None
        self.now_s = 0.0
        self.attempts = 0
        self.excluded: tuple[Subchannel, ...] = ()
        self.subchannel: Subchannel | None = None
        self.attempt: Any = None
        self.opening: Opening | None = None


# Sends a call down. A unary call comes back as an awaitable of the response's bytes; a stream as
# the picked instance's own grpc.aio call, or, where it isn't open at once, as a `Later` of that or
# of an `Opened`.
Send = Callable[[Outgoing], Any]

# Builds one layer of one method's stack above the layer below it.
Layer = Callable[["Method", Send], Send]
