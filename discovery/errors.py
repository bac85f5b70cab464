"""What this package raises, ordered by what the caller can do.

Fix the program (ValueError, raised before anything is sent):
    InvalidTargetError          the target's text, with the place of the fault
    InvalidServiceConfigError   the service config, with the place of the fault
    InvalidMetadataError        metadata that gRPC can't carry
Retry later (grpc.aio.AioRpcError, as any other failed call):
    NoInstanceError             UNAVAILABLE: nothing could be picked, nothing was sent
Give up or give more time (grpc.aio.AioRpcError):
    LocalRefusalError           refused here, without a network call; `reason` says by what
"""

from enum import StrEnum

import grpc


class InvalidTargetError(ValueError):
    """The target's text can't be used; `place` is the character at fault, counted from 0."""

    def __init__(self, text: str, place: int, reason: str) -> None:
        super().__init__(f"invalid target {text!r}: {reason} (at character {place})")
        self.text = text
        self.place = place
        self.reason = reason


class InvalidServiceConfigError(ValueError):
    """The service config can't be used; `place` is the path of the value at fault."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"invalid service config: {place}: {reason}")
        self.place = place
        self.reason = reason


class InvalidMetadataError(ValueError):
    """A metadatum that gRPC can't carry: a key or value of the wrong form."""

    def __init__(self, key: object, reason: str) -> None:
        super().__init__(f"invalid metadata: {key!r}: {reason}")
        self.key = key
        self.reason = reason


class NoInstanceError(grpc.aio.AioRpcError):
    """UNAVAILABLE, because no instance could be picked: certainly not sent, so always retriable."""

    def __init__(self, details: str) -> None:
        super().__init__(
            grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), details, details
        )

    def __reduce__(self) -> tuple[type["NoInstanceError"], tuple[str]]:
        return type(self), (self.details() or "",)


class RefusalReason(StrEnum):
    """What refused a call on this side of the network."""

    DEADLINE_SPENT = "deadline spent"
    BREAKER_OPEN = "breaker open"
    BULKHEAD_FULL = "bulkhead full"


class LocalRefusalError(grpc.aio.AioRpcError):
    """A call refused on this side: never sent, never retried, never held against an instance."""

    def __init__(self, code: grpc.StatusCode, reason: RefusalReason, details: str) -> None:
        super().__init__(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details, details)
        self.reason = reason

    def __reduce__(
        self,
    ) -> tuple[type["LocalRefusalError"], tuple[grpc.StatusCode, RefusalReason, str]]:
        return type(self), (self.code(), self.reason, self.details() or "")
