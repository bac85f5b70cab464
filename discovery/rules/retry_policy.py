"""Decides whether a failed attempt may be repeated, from its error and the policy (gRFC A6)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import grpc

from discovery.errors import LocalRefusalError, NoInstanceError
from discovery.rules.failure_codes import is_too_large

MAX_ATTEMPTS_CAP = 5
PUSHBACK_KEY = "grpc-retry-pushback-ms"
# What `pushback_s` returns if the server forbids another attempt.
STOP_S = -1.0

_MILLISECONDS = re.compile(r"[0-9]{1,10}")
_INT32_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, how soon and for which status codes a call is attempted again.

    `max_attempts` counts the first one. The delay before attempt n + 1 is
    min(initial x multiplier^(n-1), ceiling) x U(0.8, 1.2). With `attempt_timeout_s` an attempt
    without an answer in that time is given up, while another one may follow.
    """

    max_attempts: int = 3
    initial_backoff_s: float = 0.05
    max_backoff_s: float = 1.0
    backoff_multiplier: float = 2.0
    codes: frozenset[grpc.StatusCode] = frozenset({grpc.StatusCode.UNAVAILABLE})
    attempt_timeout_s: float | None = None


DEFAULT_RETRY = RetryPolicy()
NO_RETRY = RetryPolicy(max_attempts=1)


def pushback_s(trailing_metadata: Iterable[tuple[str, str | bytes]] | None) -> float | None:
    """The delay in seconds that the server asks for; None: it asks for none; STOP_S: don't retry.

    A negative, malformed or repeated value means STOP_S (gRFC A6, Pushback).
    """
    values = [value for key, value in trailing_metadata or () if key == PUSHBACK_KEY]
    if not values:
        return None
    value = values[0]
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if len(values) > 1 or not _MILLISECONDS.fullmatch(text) or int(text) > _INT32_MAX:
        return STOP_S
    return int(text) / 1000.0


def is_retriable(
    error: grpc.aio.AioRpcError, policy: RetryPolicy, *, safe: bool, pushback_s: float | None
) -> bool:
    """Whether this failure may be followed by another attempt.

    A call that certainly wasn't sent may be repeated even if the method isn't safe. A server that
    stops answers CANCELLED to calls it had accepted, so CANCELLED is retried if UNAVAILABLE is. A
    call that its own caller cancels raises `CancelledError` instead and never gets here.
    RESOURCE_EXHAUSTED is retried if the policy lists it or the server says when.
    """
    if isinstance(error, LocalRefusalError) or (pushback_s is not None and pushback_s < 0):
        return False
    if not safe and not isinstance(error, NoInstanceError):
        return False
    code = error.code()
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        listed = pushback_s is not None or code in policy.codes
        return listed and not is_too_large(code, error.details())
    if code is grpc.StatusCode.DEADLINE_EXCEEDED and policy.attempt_timeout_s is not None:
        return True
    if code is grpc.StatusCode.CANCELLED and grpc.StatusCode.UNAVAILABLE in policy.codes:
        return True
    return code in policy.codes
