"""What a client reads from an error, and how long texts are cut to fit into its trailers."""

import base64
from collections.abc import Awaitable
from typing import Any
from urllib.parse import quote

import grpc
import pytest

from discovery.error_info import error_info
from services.chassis.log.errors import StreamConflictError
from services.chassis.request.errors import (
    InvalidRequestError,
    Violation,
)
from services.chassis.server.rich_status import to_status
from tests.support.chassis.echo_service import echo_server
from tests.support.chassis.rich_status import refusal

Code = grpc.StatusCode
# A client accepts at least this many bytes of trailers (GRPC_ARG_MAX_METADATA_SIZE).
MAX_TRAILERS_BYTES = 8 * 1024


def raising(error: Exception) -> Any:
    """Make a unary handler that raises the error."""

    async def unary(request: object, context: object) -> None:
        raise error

    return unary


async def test_five_hundred_bad_lines_still_reach_the_caller() -> None:
    """A client refuses more than 8 KiB of trailers, so violations that do not fit are counted."""
    lines = [Violation(f"lines[{n}].quantity", "must be at least 1") for n in range(500)]
    async with echo_server(unary=raising(InvalidRequestError(*lines))) as echo:
        refused = await refusal(echo.unary())

    assert (refused.code, refused.reason) == (Code.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert "lines[0].quantity" in refused.bad_fields
    named = len(refused.bad_fields) - 1
    assert refused.bad_fields["lines"] == f"{500 - named} more fields are bad"
    assert len(refused.trailers["grpc-status-details-bin"]) < 6_000


def test_a_long_text_of_another_alphabet_still_reaches_the_caller() -> None:
    """Texts are cut by bytes: the message is sent percent-encoded, at three times its length."""
    milk = "🥛" * 1_000
    status = to_status(StreamConflictError(milk, 3), {}, "echo.tradepost")

    assert status.message.startswith("🥛")
    details = base64.b64encode(status.SerializeToString())
    assert len(quote(status.message)) + len(details) < MAX_TRAILERS_BYTES


async def caught(echo_call: Awaitable[object]) -> grpc.aio.AioRpcError:
    """Return the error of a call that must fail, as a client gets it."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await echo_call
    return error.value


async def test_a_client_reads_the_domain_and_the_reason() -> None:
    """A client reads the domain, the reason and the facts of an error from its trailers."""
    async with echo_server(unary=raising(StreamConflictError("ord_1", 3))) as echo:
        error = await caught(echo.unary())

    info = error_info(error)
    assert info is not None
    assert (error.code(), info.domain) == (Code.ABORTED, "echo.tradepost")
    assert info.reason == "CONFLICT"
    assert info.metadata == {"stream": "ord_1", "expected_version": "3"}


async def test_an_answer_of_grpc_itself_has_no_reason() -> None:
    """gRPC itself refuses an unknown method, and its answer has no ErrorInfo."""
    async with echo_server() as echo:
        error = await caught(echo.unary(method="Nowhere"))

    assert error.code() is Code.UNIMPLEMENTED
    assert error_info(error) is None


@pytest.mark.parametrize("details", [b"\xff\xff\xff", b"", "text"])
def test_details_that_are_no_status_have_no_reason(details: bytes | str) -> None:
    """Reading foreign or broken trailers does not raise."""
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", details))
    error = grpc.aio.AioRpcError(Code.INTERNAL, grpc.aio.Metadata(), trailers)

    assert error_info(error) is None
