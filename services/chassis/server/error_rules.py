"""The rules that turn exceptions into statuses, by what a caller can do.

    fix the request     InvalidRequestError, InvalidPageTokenError, InvalidPageSizeError,
                        MalformedMessageError, RequestIdReusedError, NotImplementedYetError,
                        UnknownServiceError, NotThisInstanceError
    ask the operator    PeerDeniedError
    show who you are    TokenRequiredError, InvalidTokenError, ExpiredTokenError
    not for the caller  RoleNotAllowedError, PeerNotAllowedError, ClosedMethodError, NotOwnerError
    retry later         OverloadedError, StoreOverloadedError, StoreUnavailableError,
                        DrainingError, DeadlinePassedError, FeedUnreachableError,
                        KeysUnavailableError
    read and retry      StreamConflictError
    restart elsewhere   the errors of the feed: read from another position
    a bug               UnexpectedError, and every exception without a rule

A service adds the rules of its own errors through `Errors`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

import grpc

from services.chassis.consumer.errors import (
    ConsumerNotFoundError,
    DeadLetterNotFoundError,
    FeedUnreachableError,
    PositionNotReachedError,
)
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
)
from services.chassis.server.errors import (
    DeadlinePassedError,
    MalformedMessageError,
    NotThisInstanceError,
    OverloadedError,
    PeerDeniedError,
    UnexpectedError,
    UnknownServiceError,
)
from services.chassis.store.errors import (
    ReadTimeoutError,
    StoreOverloadedError,
    StoreUnavailableError,
)


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """The status of one kind of exception.

    `retry_after_s` adds RetryInfo. With RESOURCE_EXHAUSTED it also adds the pushback, without which
    a client does not retry (gRFC A6). `field` adds a BadRequest about that field.
    """

    code: grpc.StatusCode
    reason: str
    retry_after_s: float | None = None
    field: str = ""


Errors: TypeAlias = Mapping[type[Exception], ErrorRule]

UNEXPECTED = ErrorRule(grpc.StatusCode.INTERNAL, "INTERNAL")

CHASSIS_ERRORS: Errors = MappingProxyType(
    {
        InvalidRequestError: ErrorRule(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
        InvalidPageTokenError: ErrorRule(
            grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", field="page_token"
        ),
        InvalidPageSizeError: ErrorRule(
            grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", field="page_size"
        ),
        MalformedMessageError: ErrorRule(grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE"),
        RequestIdReusedError: ErrorRule(
            grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED", field="request_id"
        ),
        NotImplementedYetError: ErrorRule(grpc.StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED"),
        UnknownServiceError: ErrorRule(grpc.StatusCode.NOT_FOUND, "SERVICE_UNKNOWN"),
        NotThisInstanceError: ErrorRule(grpc.StatusCode.FAILED_PRECONDITION, "NOT_THIS_INSTANCE"),
        PeerDeniedError: ErrorRule(grpc.StatusCode.PERMISSION_DENIED, "PEER_DENIED"),
        TokenRequiredError: ErrorRule(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REQUIRED"),
        InvalidTokenError: ErrorRule(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID"),
        ExpiredTokenError: ErrorRule(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED"),
        RoleNotAllowedError: ErrorRule(grpc.StatusCode.PERMISSION_DENIED, "ROLE_NOT_ALLOWED"),
        PeerNotAllowedError: ErrorRule(grpc.StatusCode.PERMISSION_DENIED, "PEER_NOT_ALLOWED"),
        ClosedMethodError: ErrorRule(grpc.StatusCode.PERMISSION_DENIED, "METHOD_CLOSED"),
        NotOwnerError: ErrorRule(grpc.StatusCode.PERMISSION_DENIED, "NOT_OWNER"),
        KeysUnavailableError: ErrorRule(
            grpc.StatusCode.UNAVAILABLE, "KEYS_UNAVAILABLE", retry_after_s=1.0
        ),
        OverloadedError: ErrorRule(
            grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", retry_after_s=0.1
        ),
        StoreOverloadedError: ErrorRule(
            grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", retry_after_s=0.1
        ),
        ReadTimeoutError: ErrorRule(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_PASSED"),
        StoreUnavailableError: ErrorRule(
            grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", retry_after_s=0.5
        ),
        DrainingError: ErrorRule(grpc.StatusCode.UNAVAILABLE, "DRAINING"),
        DeadlinePassedError: ErrorRule(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_PASSED"),
        StreamConflictError: ErrorRule(grpc.StatusCode.ABORTED, "CONFLICT"),
        PositionTruncatedError: ErrorRule(grpc.StatusCode.OUT_OF_RANGE, "POSITION_TRUNCATED"),
        PositionAheadOfHeadError: ErrorRule(grpc.StatusCode.OUT_OF_RANGE, "POSITION_AHEAD_OF_HEAD"),
        EpochChangedError: ErrorRule(grpc.StatusCode.FAILED_PRECONDITION, "EPOCH_CHANGED"),
        HistoryChangedError: ErrorRule(grpc.StatusCode.FAILED_PRECONDITION, "HISTORY_CHANGED"),
        DeadLetterNotFoundError: ErrorRule(grpc.StatusCode.NOT_FOUND, "DEAD_LETTER_NOT_FOUND"),
        ConsumerNotFoundError: ErrorRule(grpc.StatusCode.NOT_FOUND, "CONSUMER_NOT_FOUND"),
        FeedUnreachableError: ErrorRule(
            grpc.StatusCode.UNAVAILABLE, "FEED_UNAVAILABLE", retry_after_s=1.0
        ),
        PositionNotReachedError: ErrorRule(grpc.StatusCode.OUT_OF_RANGE, "POSITION_NOT_REACHED"),
        UnexpectedError: UNEXPECTED,
    }
)


def find_rule(error: Exception, errors: Errors) -> ErrorRule | None:
    """Return the rule of the exception's nearest class that has one; None for a bug.

    The exception's own `retry_after_s`, if it has one, replaces the rule's.
    """
    for kind in type(error).__mro__:
        rule = errors.get(kind) or CHASSIS_ERRORS.get(kind)
        if rule is not None:
            retry_after_s = getattr(error, "retry_after_s", None)
            return rule if retry_after_s is None else replace(rule, retry_after_s=retry_after_s)
    return None
