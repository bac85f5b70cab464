"""The errors that this package raises, ordered by what the caller can do.

Fix the program (ValueError, raised before anything is sent):
    InvalidTargetError          the target's text can't be used
    InvalidServiceConfigError   the service config can't be used
    InvalidCertificatesError    the certificates, or a name that they must prove, can't be used
    InvalidMetadataError        gRPC can't carry the metadata
Retry later (grpc.aio.AioRpcError, like any other failed call):
    NoInstanceError             UNAVAILABLE: no instance could be picked, nothing was sent
Give up, or allow more time (grpc.aio.AioRpcError):
    LocalRefusalError           refused on this side, nothing was sent; `reason` says by which rule
"""

from enum import StrEnum

import grpc


class InvalidTargetError(ValueError):
    """The target's text can't be used; `place` is the faulty character, counted from 0."""

    def __init__(self, text: str, place: int, reason: str) -> None:
        super().__init__(f"invalid target {text!r}: {reason} (at character {place})")
        self.text = text
        self.place = place
        self.reason = reason

    def __reduce__(self) -> tuple[type["InvalidTargetError"], tuple[str, int, str]]:
        return type(self), (self.text, self.place, self.reason)


class InvalidServiceConfigError(ValueError):
    """The service config can't be used; `place` is the path of the faulty value in it."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"invalid service config: {place}: {reason}")
        self.place = place
        self.reason = reason

    def __reduce__(self) -> tuple[type["InvalidServiceConfigError"], tuple[str, str]]:
        return type(self), (self.place, self.reason)


class InvalidCertificatesError(ValueError):
    """Certificates that can't be used, or a name that none can prove; never contains a key."""


class InvalidMetadataError(ValueError):
    """A metadata entry that gRPC can't carry: its key or value has the wrong form."""

    def __init__(self, key: object, reason: str) -> None:
        super().__init__(f"invalid metadata: {key!r}: {reason}")
        self.key = key
        self.reason = reason

    def __reduce__(self) -> tuple[type["InvalidMetadataError"], tuple[object, str]]:
        return type(self), (self.key, self.reason)


class NoInstanceError(grpc.aio.AioRpcError):
    """UNAVAILABLE: no instance could be picked. Nothing was sent, so any call may be retried.

    A call of which an attempt was sent before ends with the failure of that attempt instead.
    """

    def __init__(self, details: str) -> None:
        super().__init__(
            grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), details, details
        )

    def __reduce__(self) -> tuple[type["NoInstanceError"], tuple[str]]:
        return type(self), (self.details() or "",)


class RefusalReason(StrEnum):
    """The rule that refused a call on this side of the network."""

    DEADLINE_SPENT = "deadline spent"
    BREAKER_OPEN = "breaker open"
    BULKHEAD_FULL = "bulkhead full"


class LocalRefusalError(grpc.aio.AioRpcError):
    """A call refused on this side: it isn't sent, isn't retried, and counts against no instance."""

    def __init__(self, code: grpc.StatusCode, reason: RefusalReason, details: str) -> None:
        super().__init__(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details, details)
        self.reason = reason

    def __reduce__(
        self,
    ) -> tuple[type["LocalRefusalError"], tuple[grpc.StatusCode, RefusalReason, str]]:
        return type(self), (self.code(), self.reason, self.details() or "")
