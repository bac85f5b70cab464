"""Which failures may be followed by another attempt."""

import grpc
import pytest
from grpc import StatusCode

from discovery.errors import LocalRefusalError, NoInstanceError, RefusalReason
from discovery.rules.retry_policy import (
    DEFAULT_RETRY,
    MAX_ATTEMPTS_CAP,
    RetryPolicy,
    is_retriable,
    pushback_s,
)


def failed(code: StatusCode) -> grpc.aio.AioRpcError:
    """A failure as a server answers it."""
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata())


@pytest.mark.parametrize(
    ("value", "expected_s"),
    [
        ("0", 0.0),
        ("1500", 1.5),
        ("2147483647", 2147483.647),
        ("2147483648", -1.0),
        ("-1", -1.0),
        ("", -1.0),
        ("soon", -1.0),
        ("1.5", -1.0),
        ("+5", -1.0),
        (" 5", -1.0),
        ("1_0", -1.0),
        ("٣", -1.0),
    ],
)
def test_pushback_is_an_int32_in_ascii(value: str, expected_s: float) -> None:
    """A negative or malformed value forbids another attempt."""
    assert pushback_s([("grpc-retry-pushback-ms", value)]) == expected_s


def test_a_repeated_pushback_is_malformed() -> None:
    """Two pushback values forbid another attempt."""
    assert pushback_s([("grpc-retry-pushback-ms", "5"), ("grpc-retry-pushback-ms", "5")]) == -1.0


def test_without_pushback_the_client_chooses_the_delay() -> None:
    """Other trailers don't matter."""
    assert pushback_s([("other", "5")]) is None
    assert pushback_s(None) is None


@pytest.mark.parametrize("code", list(StatusCode))
def test_what_is_retried_by_default(code: StatusCode) -> None:
    """UNAVAILABLE is retried, and so is the CANCELLED of a stopping server."""
    retried = is_retriable(failed(code), DEFAULT_RETRY, safe=True, pushback_s=None)

    assert retried == (code in (StatusCode.UNAVAILABLE, StatusCode.CANCELLED))


@pytest.mark.parametrize("code", list(StatusCode))
def test_an_unsafe_method_is_not_retried_once_it_may_have_been_sent(code: StatusCode) -> None:
    """No policy makes an unsafe method retriable."""
    policy = RetryPolicy(codes=frozenset(StatusCode))

    assert not is_retriable(failed(code), policy, safe=False, pushback_s=1.0)


def test_what_was_never_sent_is_retried_for_every_method() -> None:
    """If no instance could be picked, nothing was sent, so every method is retried."""
    assert is_retriable(NoInstanceError("none"), DEFAULT_RETRY, safe=False, pushback_s=None)


@pytest.mark.parametrize("safe", [True, False])
def test_a_local_refusal_is_final(*, safe: bool) -> None:
    """A call refused because its time is over isn't retried."""
    refusal = LocalRefusalError(StatusCode.UNAVAILABLE, RefusalReason.DEADLINE_SPENT, "spent")

    assert not is_retriable(refusal, DEFAULT_RETRY, safe=safe, pushback_s=None)


def test_resource_exhausted_is_retried_if_it_is_listed_or_the_server_says_when() -> None:
    """Without pushback an overloaded server is retried only where the policy lists the code."""
    policy = RetryPolicy(codes=frozenset({StatusCode.RESOURCE_EXHAUSTED}))
    error = failed(StatusCode.RESOURCE_EXHAUSTED)

    assert is_retriable(error, policy, safe=True, pushback_s=None)
    assert not is_retriable(error, DEFAULT_RETRY, safe=True, pushback_s=None)
    assert is_retriable(error, DEFAULT_RETRY, safe=True, pushback_s=0.5)


def test_a_message_above_a_size_limit_is_not_retried() -> None:
    """It would be too large again."""
    code, empty = StatusCode.RESOURCE_EXHAUSTED, grpc.aio.Metadata()
    details = "CLIENT: Received message larger than max (5000000 vs. 4194304)"
    error = grpc.aio.AioRpcError(code, empty, empty, details)

    policy = RetryPolicy(codes=frozenset({code}))
    assert not is_retriable(error, policy, safe=True, pushback_s=None)


def test_an_attempt_that_was_given_up_is_retried() -> None:
    """With a timeout for each attempt, DEADLINE_EXCEEDED is retried while the call has time."""
    error = failed(StatusCode.DEADLINE_EXCEEDED)

    bounded = RetryPolicy(attempt_timeout_s=0.5)
    assert is_retriable(error, bounded, safe=True, pushback_s=None)
    assert not is_retriable(error, DEFAULT_RETRY, safe=True, pushback_s=None)


@pytest.mark.parametrize("code", [StatusCode.UNAVAILABLE, StatusCode.RESOURCE_EXHAUSTED])
def test_negative_pushback_stops(code: StatusCode) -> None:
    """The server can forbid another attempt."""
    assert not is_retriable(failed(code), DEFAULT_RETRY, safe=True, pushback_s=-1.0)


@pytest.mark.parametrize(
    "code",
    [
        StatusCode.DEADLINE_EXCEEDED,
        StatusCode.INTERNAL,
        StatusCode.UNKNOWN,
        StatusCode.ABORTED,
    ],
)
def test_doubtful_codes_are_retried_where_the_policy_lists_them(code: StatusCode) -> None:
    """Other codes are retried only if the policy lists them."""
    policy = RetryPolicy(codes=frozenset({code}))

    assert is_retriable(failed(code), policy, safe=True, pushback_s=None)
    assert not is_retriable(failed(StatusCode.CANCELLED), policy, safe=True, pushback_s=None)


def test_the_numbers_without_a_retry_policy() -> None:
    """Three attempts, 50 ms doubled up to 1 s; a policy may ask for at most five."""
    default = DEFAULT_RETRY

    assert (default.max_attempts, MAX_ATTEMPTS_CAP) == (3, 5)
    assert (default.initial_backoff_s, default.backoff_multiplier) == (0.05, 2.0)
    assert default.max_backoff_s == 1.0
