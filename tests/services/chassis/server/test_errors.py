"""What a caller learns from a refused call, seen over a real connection."""

import base64
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import grpc
import pytest

from discovery.error_info import error_info
from services.chassis.consumer.errors import (
    ConsumerNotFoundError,
    DeadLetterNotFoundError,
    PositionNotReachedError,
)
from services.chassis.domain.precondition import Precondition
from services.chassis.feed.errors import (
    EpochChangedError,
    PositionAheadOfHeadError,
    PositionTruncatedError,
)
from services.chassis.log.errors import StreamConflictError
from services.chassis.request.errors import (
    DrainingError,
    InvalidPageSizeError,
    InvalidPageTokenError,
    InvalidRequestError,
    NotImplementedYetError,
    RequestIdReusedError,
    Violation,
)
from services.chassis.server.error_rules import CHASSIS_ERRORS, ErrorRule
from services.chassis.server.errors import (
    DeadlinePassedError,
    MalformedMessageError,
    OverloadedError,
    UnexpectedError,
    UnknownServiceError,
)
from services.chassis.server.rich_status import to_status
from services.chassis.store.errors import StoreOverloadedError, StoreUnavailableError
from tests.support.chassis.echo_service import echo_server
from tests.support.chassis.rich_status import refusal

Code = grpc.StatusCode
# What a client takes at least (GRPC_ARG_MAX_METADATA_SIZE).
MAX_TRAILERS_BYTES = 8 * 1024


@dataclass(frozen=True, slots=True)
class Expected:
    """What the contract documents for one exception."""

    code: grpc.StatusCode
    reason: str
    bad_fields: tuple[str, ...] = ()
    retry_delay_s: float | None = None
    pushback_ms: str | None = None


DOCUMENTED = [
    (
        InvalidRequestError(Violation("sku", "is required"), Violation("quantity", "too few")),
        Expected(Code.INVALID_ARGUMENT, "INVALID_REQUEST", bad_fields=("sku", "quantity")),
    ),
    (
        InvalidPageTokenError(),
        Expected(Code.INVALID_ARGUMENT, "INVALID_REQUEST", bad_fields=("page_token",)),
    ),
    (
        InvalidPageSizeError(-1),
        Expected(Code.INVALID_ARGUMENT, "INVALID_REQUEST", bad_fields=("page_size",)),
    ),
    (
        RequestIdReusedError(method="CreateOrder", request_id="r-1"),
        Expected(Code.INVALID_ARGUMENT, "REQUEST_ID_REUSED", bad_fields=("request_id",)),
    ),
    (MalformedMessageError("/a.B/C"), Expected(Code.INVALID_ARGUMENT, "MALFORMED_MESSAGE")),
    (NotImplementedYetError("the feed"), Expected(Code.UNIMPLEMENTED, "NOT_IMPLEMENTED")),
    (UnknownServiceError("a.B"), Expected(Code.NOT_FOUND, "SERVICE_UNKNOWN")),
    (
        OverloadedError(limit=10),
        Expected(Code.RESOURCE_EXHAUSTED, "OVERLOADED", retry_delay_s=0.1, pushback_ms="100"),
    ),
    (
        StoreOverloadedError("the queue is full"),
        Expected(Code.RESOURCE_EXHAUSTED, "OVERLOADED", retry_delay_s=0.1, pushback_ms="100"),
    ),
    (
        StoreUnavailableError("no lock in time"),
        Expected(Code.UNAVAILABLE, "STORE_UNAVAILABLE", retry_delay_s=0.5),
    ),
    (DrainingError(after_version="7"), Expected(Code.UNAVAILABLE, "DRAINING")),
    (DeadlinePassedError(), Expected(Code.DEADLINE_EXCEEDED, "DEADLINE_PASSED")),
    (StreamConflictError("ord_1", 3), Expected(Code.ABORTED, "CONFLICT")),
    (
        PositionTruncatedError(after_position=3, oldest_position=7),
        Expected(Code.OUT_OF_RANGE, "POSITION_TRUNCATED"),
    ),
    (
        PositionAheadOfHeadError(after_position=7, head_position=3),
        Expected(Code.OUT_OF_RANGE, "POSITION_AHEAD_OF_HEAD"),
    ),
    (EpochChangedError(asked="1", epoch="2"), Expected(Code.FAILED_PRECONDITION, "EPOCH_CHANGED")),
    (DeadLetterNotFoundError(consumer="one"), Expected(Code.NOT_FOUND, "DEAD_LETTER_NOT_FOUND")),
    (ConsumerNotFoundError("nobody"), Expected(Code.NOT_FOUND, "CONSUMER_NOT_FOUND")),
    (
        PositionNotReachedError(consumer="one", after_position=7, position=3),
        Expected(Code.OUT_OF_RANGE, "POSITION_NOT_REACHED"),
    ),
    (UnexpectedError("err_1"), Expected(Code.INTERNAL, "INTERNAL")),
]


def raising(error: Exception) -> dict[str, Any]:
    """Behaviors of all four kinds that raise the error, streams after their first message."""

    async def unary(request: object, context: object) -> None:
        raise error

    async def stream(request: object, context: object) -> object:
        yield request
        raise error

    async def drain(requests: object, context: object) -> None:
        async for _ in requests:
            pass
        raise error

    async def both(requests: object, context: object) -> object:
        async for request in requests:
            yield request
        raise error

    return {"unary": unary, "unary_stream": stream, "stream_unary": drain, "stream_stream": both}


async def all_messages(call: object) -> list[object]:
    """Read a stream to its end."""
    return [message async for message in call]


def test_every_rule_of_the_chassis_is_documented_here() -> None:
    """Every exception of the chassis has an example whose answer is checked over a socket."""
    assert {type(error) for error, _ in DOCUMENTED} == set(CHASSIS_ERRORS)


@pytest.mark.parametrize(
    ("error", "expected"), DOCUMENTED, ids=[type(error).__name__ for error, _ in DOCUMENTED]
)
async def test_an_exception_is_answered_by_its_rule_in_all_four_kinds_of_call(
    error: Exception, expected: Expected
) -> None:
    """Code, one ErrorInfo, the bad fields and when to retry are the same for every kind of call."""
    async with echo_server(**raising(error)) as echo:
        refusals = [
            await refusal(echo.unary("a")),
            await refusal(all_messages(echo.unary_stream("a"))),
            await refusal(echo.stream_unary("a", "b")),
            await refusal(all_messages(echo.stream_stream("a", "b"))),
        ]

    for each in refusals:
        assert (each.code, each.reason, each.domain) == (
            expected.code,
            expected.reason,
            "echo.tradepost",
        )
        assert each.infos == 1
        assert each.message == str(error)
        assert each.facts == getattr(error, "facts", {})
        assert tuple(each.bad_fields) == expected.bad_fields
        assert each.retry_delay_s == expected.retry_delay_s
        assert each.trailers.get("grpc-retry-pushback-ms") == expected.pushback_ms


class OutOfStockError(Exception):
    """A domain error of a service."""

    facts = {"sku": "CRUNCHY-ARMCHAIR"}  # noqa: RUF012 - an example of an exception's facts
    precondition_violations = (Precondition("STOCK", "CRUNCHY-ARMCHAIR", "none is left"),)


class SoldOutError(OutOfStockError):
    """A more special one, without a rule of its own."""


async def test_a_services_own_rule_also_holds_for_subclasses_of_its_exception() -> None:
    """Rules are looked up along the exception's classes, the nearest first."""
    rules = {OutOfStockError: ErrorRule(Code.FAILED_PRECONDITION, "OUT_OF_STOCK")}
    async with echo_server(errors=rules, **raising(SoldOutError("none is left"))) as echo:
        refused = await refusal(echo.unary())

    assert (refused.code, refused.reason) == (Code.FAILED_PRECONDITION, "OUT_OF_STOCK")
    assert refused.facts == {"sku": "CRUNCHY-ARMCHAIR"}
    assert refused.preconditions == [("STOCK", "CRUNCHY-ARMCHAIR", "none is left")]


async def test_a_bug_answers_internal_with_an_id_and_tells_nothing_of_itself() -> None:
    """An exception without a rule tells the caller an error id; its text stays in the log."""
    async with echo_server(**raising(ValueError("password hunter2"))) as echo:
        refused = await refusal(echo.unary())

    assert (refused.code, refused.reason) == (Code.INTERNAL, "INTERNAL")
    assert refused.facts["error_id"].startswith("err_")
    assert refused.message == "internal error"
    assert "hunter2" not in str(refused)


def test_a_status_of_a_bug_holds_no_text() -> None:
    """`to_status` alone gives nothing of an unknown exception away either."""
    status = to_status(ValueError("password hunter2"), {}, "echo.tradepost")

    assert status.code == Code.INTERNAL.value[0]
    assert "hunter2" not in str(status)


async def test_what_a_handler_put_into_the_trailers_survives_its_error() -> None:
    """The trailers of an error are the handler's own and the status together."""

    async def marked(request: object, context: grpc.aio.ServicerContext) -> None:
        context.set_trailing_metadata((("tradepost-replayed", "true"),))
        raise OverloadedError(limit=1)

    async with echo_server(unary=marked) as echo:
        refused = await refusal(echo.unary())

    assert refused.trailers["tradepost-replayed"] == "true"
    assert refused.reason == "OVERLOADED"


async def test_a_handlers_own_abort_passes_through() -> None:
    """`context.abort` is answered as the handler said it."""

    async def aborting(request: object, context: grpc.aio.ServicerContext) -> None:
        await context.abort(Code.ALREADY_EXISTS, "here first", (("who", "me"),))

    async with echo_server(unary=aborting) as echo:
        refused = await refusal(echo.unary())

    assert (refused.code, refused.message) == (Code.ALREADY_EXISTS, "here first")
    assert refused.trailers == {"who": "me"}


async def test_five_hundred_bad_lines_still_reach_the_caller() -> None:
    """A client refuses more than 8 KiB of trailers, so what doesn't fit is counted, not named."""
    lines = [Violation(f"lines[{n}].quantity", "must be at least 1") for n in range(500)]
    async with echo_server(**raising(InvalidRequestError(*lines))) as echo:
        refused = await refusal(echo.unary())

    assert (refused.code, refused.reason) == (Code.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert "lines[0].quantity" in refused.bad_fields
    named = len(refused.bad_fields) - 1
    assert refused.bad_fields["lines"] == f"{500 - named} more fields are bad"
    assert len(refused.trailers["grpc-status-details-bin"]) < 6_000


def test_a_long_text_of_another_alphabet_still_reaches_the_caller() -> None:
    """Texts are cut by bytes, and the message travels as %F0%9F%A5%9B: three times its length."""
    milk = "🥛" * 1_000
    status = to_status(StreamConflictError(milk, 3), {}, "echo.tradepost")

    assert status.message.startswith("🥛")
    details = base64.b64encode(status.SerializeToString())
    assert len(quote(status.message)) + len(details) < MAX_TRAILERS_BYTES


async def caught(echo_call: Awaitable[object]) -> grpc.aio.AioRpcError:
    """The error of a call that must fail, as a client has it."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await echo_call
    return error.value


async def test_a_client_reads_who_refused_and_why() -> None:
    """A client reads the domain, the reason and the facts of an error from its trailers."""
    async with echo_server(**raising(StreamConflictError("ord_1", 3))) as echo:
        error = await caught(echo.unary())

    info = error_info(error)
    assert info is not None
    assert (error.code(), info.domain) == (Code.ABORTED, "echo.tradepost")
    assert info.reason == "CONFLICT"
    assert info.metadata == {"stream": "ord_1", "expected_version": "3"}


async def test_an_answer_of_grpc_itself_has_no_reason() -> None:
    """An unknown method is refused by gRPC, and says nothing that could be taken for ours."""
    async with echo_server() as echo:
        error = await caught(echo.unary(method="Nowhere"))

    assert error.code() is Code.UNIMPLEMENTED
    assert error_info(error) is None


@pytest.mark.parametrize("details", [b"\xff\xff\xff", b"", "text"])
def test_details_that_are_no_status_have_no_reason(details: bytes | str) -> None:
    """Whatever a stranger puts into the trailers, reading it never raises."""
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", details))
    error = grpc.aio.AioRpcError(Code.INTERNAL, grpc.aio.Metadata(), trailers)

    assert error_info(error) is None
