"""What a server answers when it can't say yes: exceptions, their rules, and the rich status.

    fix the request     InvalidRequestError, MalformedMessageError, RequestIdReusedError,
                        InvalidPageTokenError, InvalidPageSizeError, NotImplementedYetError,
                        UnknownServiceError
    retry later         OverloadedError, StoreOverloadedError, StoreUnavailableError,
                        DrainingError, DeadlinePassedError
    ask again           StreamConflictError
    start elsewhere     those of `feed_errors`
    a bug               UnexpectedError, and every exception without a rule

A service adds its own through `Errors`; `to_status` is the only maker of a status.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from discovery.error_info import DETAILS_KEY
from services.chassis.feed.errors import (
    ConsumerNotFoundError,
    DeadLetterNotFoundError,
    EpochChangedError,
    PositionAheadOfHeadError,
    PositionNotReachedError,
    PositionTruncatedError,
)
from services.chassis.log.event_log import StreamConflictError
from services.chassis.request.errors import DrainingError, NotImplementedYetError
from services.chassis.request.idempotency import RequestIdReusedError
from services.chassis.request.pages import InvalidPageSizeError, InvalidPageTokenError
from services.chassis.request.validation import InvalidRequestError
from services.chassis.store.errors import StoreOverloadedError, StoreUnavailableError

PUSHBACK_KEY = "grpc-retry-pushback-ms"

# A client refuses more than 8 KiB of trailers (GRPC_ARG_MAX_METADATA_SIZE, its soft limit), and
# binary ones may travel as base64: what is named must fit, what doesn't is counted.
_MAX_VIOLATIONS_BYTES = 3_072
_MAX_MESSAGE_BYTES = 512
_MAX_FACT_BYTES = 256


class MalformedMessageError(Exception):
    """The bytes are no message of the method."""

    def __init__(self, method: str) -> None:
        super().__init__(f"the bytes are no request of {method}")
        self.facts = {"method": method}


class UnknownServiceError(Exception):
    """Health was asked about a service that is not served here."""

    def __init__(self, service: str) -> None:
        super().__init__(f"{service} is not served here")
        self.facts = {"service": service}


class OverloadedError(Exception):
    """The server has as many calls as it takes on; nothing was begun.

    `retry_after_s` is when a place may be free, where the limiter knows.
    """

    def __init__(self, *, limit: int, retry_after_s: float | None = None) -> None:
        super().__init__(f"all {limit} places are taken")
        self.facts = {"limit": str(limit)}
        self.retry_after_s = retry_after_s


class DeadlinePassedError(Exception):
    """The caller had stopped waiting before the work began."""

    def __init__(self) -> None:
        super().__init__("the deadline was over on arrival")


class UnexpectedError(Exception):
    """Stands in for an exception without a rule: the id is found in the log, the text is not sent.

    Chain the exception it stands for (`raise ... from error`) where there is one.
    """

    def __init__(self, error_id: str) -> None:
        super().__init__("internal error")
        self.facts = {"error_id": error_id}


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """How one exception is answered.

    `retry_after_s` adds RetryInfo, and with RESOURCE_EXHAUSTED the pushback that lets a client
    retry at all (gRFC A6). `field` adds BadRequest for an exception that is about one field.
    """

    code: grpc.StatusCode
    reason: str
    retry_after_s: float | None = None
    field: str = ""


@dataclass(frozen=True, slots=True)
class PreconditionViolation:
    """One entry of google.rpc.PreconditionFailure."""

    type: str
    subject: str
    description: str


Errors: TypeAlias = Mapping[type[Exception], ErrorRule]

_UNEXPECTED = ErrorRule(grpc.StatusCode.INTERNAL, "INTERNAL")

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
        OverloadedError: ErrorRule(
            grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", retry_after_s=0.1
        ),
        StoreOverloadedError: ErrorRule(
            grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", retry_after_s=0.1
        ),
        StoreUnavailableError: ErrorRule(
            grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", retry_after_s=0.5
        ),
        DrainingError: ErrorRule(grpc.StatusCode.UNAVAILABLE, "DRAINING"),
        DeadlinePassedError: ErrorRule(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_PASSED"),
        StreamConflictError: ErrorRule(grpc.StatusCode.ABORTED, "CONFLICT"),
        PositionTruncatedError: ErrorRule(grpc.StatusCode.OUT_OF_RANGE, "POSITION_TRUNCATED"),
        PositionAheadOfHeadError: ErrorRule(grpc.StatusCode.OUT_OF_RANGE, "POSITION_AHEAD_OF_HEAD"),
        EpochChangedError: ErrorRule(grpc.StatusCode.FAILED_PRECONDITION, "EPOCH_CHANGED"),
        DeadLetterNotFoundError: ErrorRule(grpc.StatusCode.NOT_FOUND, "DEAD_LETTER_NOT_FOUND"),
        ConsumerNotFoundError: ErrorRule(grpc.StatusCode.NOT_FOUND, "CONSUMER_NOT_FOUND"),
        PositionNotReachedError: ErrorRule(grpc.StatusCode.OUT_OF_RANGE, "POSITION_NOT_REACHED"),
        UnexpectedError: _UNEXPECTED,
    }
)


def find_rule(error: Exception, errors: Errors) -> ErrorRule | None:
    """The rule of the nearest class the exception is one of; None for a bug.

    An error that knows itself when to come back (`retry_after_s`) replaces the rule's own delay.
    """
    for kind in type(error).__mro__:
        rule = errors.get(kind) or CHASSIS_ERRORS.get(kind)
        if rule is not None:
            retry_after_s = getattr(error, "retry_after_s", None)
            return rule if retry_after_s is None else replace(rule, retry_after_s=retry_after_s)
    return None


def to_status(error: Exception, errors: Errors, domain: str) -> status_pb2.Status:
    """The google.rpc.Status of an exception, with exactly one ErrorInfo (AIP-193).

    An exception without a rule is INTERNAL and tells nothing of itself. Its `facts` become the
    metadata, its `violations` a BadRequest, `precondition_violations` a PreconditionFailure.
    """
    rule = find_rule(error, errors)
    if rule is None:
        return _status(_UNEXPECTED, "internal error", [_info(_UNEXPECTED, domain, {})])
    details: list[Message] = [_info(rule, domain, getattr(error, "facts", {}))]
    if rule.field:
        details.append(_bad_request([(rule.field, str(error))]))
    elif violations := getattr(error, "violations", ()):
        details.append(_bad_request((each.field, each.description) for each in violations))
    if preconditions := getattr(error, "precondition_violations", ()):
        details.append(_precondition_failure(preconditions))
    if rule.retry_after_s is not None:
        retry_delay = Duration(nanos=0)
        retry_delay.FromMilliseconds(round(rule.retry_after_s * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=retry_delay))
    return _status(rule, str(error), details)


def to_trailers(status: status_pb2.Status, rule: ErrorRule | None) -> list[tuple[str, Any]]:
    """The trailing metadata that carries a status: its details, and the pushback where due."""
    trailers: list[tuple[str, Any]] = [(DETAILS_KEY, status.SerializeToString())]
    if (
        rule is not None
        and rule.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        and rule.retry_after_s is not None
    ):
        trailers.append((PUSHBACK_KEY, str(round(rule.retry_after_s * 1000))))
    return trailers


def _status(rule: ErrorRule, message: str, details: Iterable[Message]) -> status_pb2.Status:
    status = status_pb2.Status(code=rule.code.value[0], message=_clip(message, _MAX_MESSAGE_BYTES))
    for detail in details:
        status.details.add().Pack(detail)
    return status


def _info(rule: ErrorRule, domain: str, facts: Mapping[str, object]) -> error_details_pb2.ErrorInfo:
    metadata = {key: _clip(str(value), _MAX_FACT_BYTES) for key, value in facts.items()}
    return error_details_pb2.ErrorInfo(reason=rule.reason, domain=domain, metadata=metadata)


def _bad_request(violations: Iterable[tuple[str, str]]) -> error_details_pb2.BadRequest:
    named = list(violations)
    bad_request = error_details_pb2.BadRequest()
    size = 0
    for number, (field, description) in enumerate(named):
        size += len(field.encode()) + len(description.encode()) + 8
        if size > _MAX_VIOLATIONS_BYTES:
            field = re.split(r"[.\[]", field, maxsplit=1)[0]  # noqa: PLW2901
            description = f"{len(named) - number} more fields are bad"  # noqa: PLW2901
            bad_request.field_violations.add(field=field, description=description)
            break
        bad_request.field_violations.add(field=field, description=description)
    return bad_request


def _precondition_failure(
    violations: Iterable[PreconditionViolation],
) -> error_details_pb2.PreconditionFailure:
    failure = error_details_pb2.PreconditionFailure()
    for each in violations:
        failure.violations.add(type=each.type, subject=each.subject, description=each.description)
    return failure


def _clip(text: str, most_bytes: int) -> str:
    encoded = text.encode(errors="replace")
    if len(encoded) <= most_bytes:
        return encoded.decode()
    return encoded[: most_bytes - len("…".encode())].decode(errors="ignore") + "…"
