"""What an application learns from a refusal with `discovery` alone."""

from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

import discovery
from discovery.error_info import DETAILS_KEY


def refused(details: object) -> grpc.aio.AioRpcError:
    """An error with these details."""
    trailers: Any = (("other-bin", b"\xff"), (DETAILS_KEY, details))
    return grpc.aio.AioRpcError(grpc.StatusCode.ABORTED, grpc.aio.Metadata(), trailers)


def status_of(*details: Any) -> bytes:
    """A status with these details, in order."""
    status = status_pb2.Status(code=10, message="no")
    for detail in details:
        status.details.add().Pack(detail)
    data: bytes = status.SerializeToString()
    return data


def test_an_error_says_who_refused_the_call_and_why() -> None:
    """Reason, domain and facts are read at any position among the details."""
    info = error_details_pb2.ErrorInfo(
        reason="ETAG_MISMATCH", domain="inventory.tradepost", metadata={"sku": "milk", "note": ""}
    )
    error = refused(status_of(error_details_pb2.RetryInfo(), info))

    assert discovery.error_info(error) == discovery.ErrorInfo(
        "ETAG_MISMATCH", "inventory.tradepost", {"sku": "milk", "note": ""}
    )


@pytest.mark.parametrize(
    "details",
    [
        b"",
        b"\xff\xff\xff",
        "text",
        status_of(),
        status_of(error_details_pb2.RetryInfo()),
        status_pb2.Status(
            details=[AnyMessage(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff")]
        ).SerializeToString(),
    ],
)
def test_details_without_a_reason_give_none(details: object) -> None:
    """Reading never raises, whatever the trailers contain."""
    assert discovery.error_info(refused(details)) is None


def test_an_error_without_trailers_has_no_reason() -> None:
    """A blocking call's error may have none yet, and any RpcError may lack the method."""
    assert discovery.error_info(grpc.RpcError()) is None
    error: Any = SimpleNamespace(trailing_metadata=lambda: None)
    assert discovery.error_info(error) is None
