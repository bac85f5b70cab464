"""Reads the status of a refused call: code, reason, facts and details."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.rpc import (  # type: ignore[import-untyped]
    error_details_pb2,
    status_pb2,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status and its details."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    domain: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    bad_fields: dict[str, str] = field(default_factory=dict)
    preconditions: list[tuple[str, str, str]] = field(default_factory=list)
    retry_delay_s: float | None = None
    trailers: dict[str, Any] = field(default_factory=dict)
    infos: int = 0


async def refusal(call: Awaitable[Any]) -> Refusal:
    """Await a call that must fail, and return its refusal."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return read(caught.value)


def read(error: grpc.aio.AioRpcError) -> Refusal:
    """Read the details of an error."""
    trailers = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    failure, retry = error_details_pb2.PreconditionFailure(), error_details_pb2.RetryInfo()
    has_retry = False
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
        detail.Unpack(failure)
        has_retry |= detail.Unpack(retry)
    return Refusal(
        code=error.code(),
        message=error.details() or "",
        reason=info.reason,
        domain=info.domain,
        facts=dict(info.metadata),
        bad_fields={each.field: each.description for each in bad.field_violations},
        preconditions=[(each.type, each.subject, each.description) for each in failure.violations],
        retry_delay_s=retry.retry_delay.ToTimedelta().total_seconds() if has_retry else None,
        trailers=trailers,
        infos=sum(detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR) for detail in status.details),
    )
