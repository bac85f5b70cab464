"""Turns an exception into a google.rpc.Status and the trailers that carry it (AIP-193)."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from discovery.error_info import DETAILS_KEY
from services.chassis.domain.precondition import Precondition
from services.chassis.server.error_rules import UNEXPECTED, ErrorRule, Errors, find_rule

PUSHBACK_KEY = "grpc-retry-pushback-ms"

# A client refuses more than 8 KiB of trailers (GRPC_ARG_MAX_METADATA_SIZE, its soft limit), and
# binary trailers may be sent as base64. So the named violations must fit; the rest is only counted.
_MAX_VIOLATIONS_BYTES = 3_072
_MAX_MESSAGE_BYTES = 512
_MAX_FACT_BYTES = 256


def to_status(error: Exception, errors: Errors, domain: str) -> status_pb2.Status:
    """Make the google.rpc.Status of an exception, with exactly one ErrorInfo (AIP-193).

    The exception's `facts` become the metadata, its `violations` a BadRequest, and its
    `precondition_violations` a PreconditionFailure. An exception without a rule becomes INTERNAL,
    without any of its text.
    """
    rule = find_rule(error, errors)
    if rule is None:
        return _status(UNEXPECTED, "internal error", [_info(UNEXPECTED, domain, {})])
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
    """Return the trailing metadata of a status: its details, and the pushback if there is one."""
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
    violations: Iterable[Precondition],
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
