"""What a caller learns from a refused call, seen over a real connection."""

from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from services.chassis.consumer.errors import (
    ConsumerNotFoundError,
    DeadLetterNotFoundError,
    FeedUnreachableError,
    PositionNotReachedError,
)
from services.chassis.domain.precondition import Precondition
from services.chassis.feed.errors import (
    EpochChangedError,
    HistoryChangedError,
    PositionAheadOfHeadError,
    PositionTruncatedError,
)
from services.chassis.identity.errors import (
    ClosedMethodError,
    ExpiredTokenError,
    InvalidTokenError,
    KeysUnavailableError,
    NotOwnerError,
    PeerNotAllowedError,
    RoleNotAllowedError,
    TokenRequiredError,
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
    NotThisInstanceError,
    OverloadedError,
    PeerDeniedError,
    UnexpectedError,
    UnknownServiceError,
)
from services.chassis.server.rich_status import to_status
from services.chassis.store.errors import (
    ReadTimeoutError,
    StoreOverloadedError,
    StoreUnavailableError,
)
from tests.support.chassis.echo_service import echo_server
from tests.support.chassis.rich_status import refusal

Code = grpc.StatusCode


@dataclass(frozen=True, slots=True)
class Expected:
    """The answer that the contract documents for one exception."""

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
    (TokenRequiredError(["CLERK"]), Expected(Code.UNAUTHENTICATED, "TOKEN_REQUIRED")),
    (InvalidTokenError("it is odd"), Expected(Code.UNAUTHENTICATED, "TOKEN_INVALID")),
    (ExpiredTokenError(), Expected(Code.UNAUTHENTICATED, "TOKEN_EXPIRED")),
    (RoleNotAllowedError(["CLERK"]), Expected(Code.PERMISSION_DENIED, "ROLE_NOT_ALLOWED")),
    (PeerNotAllowedError("shop"), Expected(Code.PERMISSION_DENIED, "PEER_NOT_ALLOWED")),
    (ClosedMethodError(), Expected(Code.PERMISSION_DENIED, "METHOD_CLOSED")),
    (NotOwnerError("customer_id"), Expected(Code.PERMISSION_DENIED, "NOT_OWNER")),
    (
        KeysUnavailableError(),
        Expected(Code.UNAVAILABLE, "KEYS_UNAVAILABLE", retry_delay_s=1.0),
    ),
    (MalformedMessageError("/a.B/C"), Expected(Code.INVALID_ARGUMENT, "MALFORMED_MESSAGE")),
    (NotImplementedYetError("the feed"), Expected(Code.UNIMPLEMENTED, "NOT_IMPLEMENTED")),
    (UnknownServiceError("a.B"), Expected(Code.NOT_FOUND, "SERVICE_UNKNOWN")),
    (
        NotThisInstanceError(asked="order-1", instance_id="order-2"),
        Expected(Code.FAILED_PRECONDITION, "NOT_THIS_INSTANCE"),
    ),
    (
        PeerDeniedError(peer="payment", service="order"),
        Expected(Code.PERMISSION_DENIED, "PEER_DENIED"),
    ),
    (
        OverloadedError(limit=10, setting="TRADEPOST_MAX_WAITING"),
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
    (
        ReadTimeoutError("the read took longer"),
        Expected(Code.DEADLINE_EXCEEDED, "DEADLINE_PASSED"),
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
    (
        HistoryChangedError(after_position=3, asked="evt_1", found="evt_2"),
        Expected(Code.FAILED_PRECONDITION, "HISTORY_CHANGED"),
    ),
    (DeadLetterNotFoundError(consumer="one"), Expected(Code.NOT_FOUND, "DEAD_LETTER_NOT_FOUND")),
    (ConsumerNotFoundError("nobody"), Expected(Code.NOT_FOUND, "CONSUMER_NOT_FOUND")),
    (
        FeedUnreachableError("one"),
        Expected(Code.UNAVAILABLE, "FEED_UNAVAILABLE", retry_delay_s=1.0),
    ),
    (
        PositionNotReachedError(consumer="one", after_position=7, position=3),
        Expected(Code.OUT_OF_RANGE, "POSITION_NOT_REACHED"),
    ),
    (UnexpectedError("err_1"), Expected(Code.INTERNAL, "INTERNAL")),
]


def raising(error: Exception) -> dict[str, Any]:
    """Make behaviors of all four kinds that raise the error, streams after their first message."""

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
    """Each exception of the chassis has an example, and its answer is checked over a socket."""
    assert {type(error) for error, _ in DOCUMENTED} == set(CHASSIS_ERRORS)


@pytest.mark.parametrize(
    ("error", "expected"), DOCUMENTED, ids=[type(error).__name__ for error, _ in DOCUMENTED]
)
async def test_an_exception_is_answered_by_its_rule_in_all_four_kinds_of_call(
    error: Exception, expected: Expected
) -> None:
    """Code, ErrorInfo, bad fields and retry delay are the same for every kind of call."""
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
    """A subclass without a rule of its own."""


async def test_a_services_own_rule_also_holds_for_subclasses_of_its_exception() -> None:
    """The rule of the exception's nearest class is used."""
    rules = {OutOfStockError: ErrorRule(Code.FAILED_PRECONDITION, "OUT_OF_STOCK")}
    async with echo_server(errors=rules, **raising(SoldOutError("none is left"))) as echo:
        refused = await refusal(echo.unary())

    assert (refused.code, refused.reason) == (Code.FAILED_PRECONDITION, "OUT_OF_STOCK")
    assert refused.facts == {"sku": "CRUNCHY-ARMCHAIR"}
    assert refused.preconditions == [("STOCK", "CRUNCHY-ARMCHAIR", "none is left")]


async def test_a_bug_answers_internal_with_an_id_and_without_its_text() -> None:
    """The caller of an exception without a rule gets an error id; the text is only logged."""
    async with echo_server(**raising(ValueError("password hunter2"))) as echo:
        refused = await refusal(echo.unary())

    assert (refused.code, refused.reason) == (Code.INTERNAL, "INTERNAL")
    assert refused.facts["error_id"].startswith("err_")
    assert refused.message == "internal error"
    assert "hunter2" not in str(refused)


def test_a_status_of_a_bug_holds_no_text() -> None:
    """`to_status` alone does not reveal the text of an unknown exception either."""
    status = to_status(ValueError("password hunter2"), {}, "echo.tradepost")

    assert status.code == Code.INTERNAL.value[0]
    assert "hunter2" not in str(status)


async def test_what_a_handler_put_into_the_trailers_survives_its_error() -> None:
    """The trailers of an error hold the handler's own and the status."""

    async def marked(request: object, context: grpc.aio.ServicerContext) -> None:
        context.set_trailing_metadata((("tradepost-replayed", "true"),))
        raise OverloadedError(limit=1, setting="TRADEPOST_MAX_WAITING")

    async with echo_server(unary=marked) as echo:
        refused = await refusal(echo.unary())

    assert refused.trailers["tradepost-replayed"] == "true"
    assert refused.reason == "OVERLOADED"


async def test_a_handlers_own_abort_passes_through() -> None:
    """A handler's `context.abort` reaches the caller unchanged."""

    async def aborting(request: object, context: grpc.aio.ServicerContext) -> None:
        await context.abort(Code.ALREADY_EXISTS, "here first", (("who", "me"),))

    async with echo_server(unary=aborting) as echo:
        refused = await refusal(echo.unary())

    assert (refused.code, refused.message) == (Code.ALREADY_EXISTS, "here first")
    assert refused.trailers == {"who": "me"}
