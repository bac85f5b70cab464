"""What the end of an attempt says of the instance."""

import grpc
import pytest
from grpc import StatusCode

from discovery import observation
from discovery.load import Load
from discovery.method import Kind, Method
from discovery.retry_policy import DEFAULT_RETRY

BAD = (StatusCode.UNAVAILABLE, StatusCode.UNKNOWN, StatusCode.INTERNAL, StatusCode.DATA_LOSS)
NEITHER = (StatusCode.CANCELLED, StatusCode.RESOURCE_EXHAUSTED)
GOOD = tuple(
    code
    for code in StatusCode
    if code not in (*BAD, *NEITHER, StatusCode.OK, StatusCode.DEADLINE_EXCEEDED)
)


def method(*, waits: bool = False) -> Method:
    """A unary method."""
    return Method(
        path="/a.B/C",
        kind=Kind.UNARY_UNARY,
        registered=False,
        safe=True,
        retry=DEFAULT_RETRY,
        timeout_s=None,
        default_timeout_s=None,
        wait_for_ready=False,
        waits=waits,
    )


def after(
    code: StatusCode,
    of: Method | None = None,
    *,
    pushback: str | None = None,
    timeout_s: float | None = 1.0,
) -> Load:
    """The load after one attempt of 1 ms that ended so."""
    trailing = grpc.aio.Metadata()
    if pushback is not None:
        trailing.add("grpc-retry-pushback-ms", pushback)
    error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing)
    load = Load(0.0)
    of = of or method()
    observation.failed(of, load, error, latency_s=0.001, timeout_s=timeout_s, now_s=1.0)
    return load


@pytest.mark.parametrize("code", BAD)
def test_failures_of_the_instance_count(code: StatusCode) -> None:
    """It couldn't, or doesn't know what it did."""
    assert after(code).failures_in_row == 1


@pytest.mark.parametrize("code", GOOD)
def test_every_other_answer_is_a_success_of_the_transport(code: StatusCode) -> None:
    """NOT_FOUND is a good answer to a bad question: its latency counts like any."""
    of = method()

    load = after(code, of)

    assert load.failures_in_row == 0
    assert load.latency_s(1.0) < 0.030
    assert of.latencies.percentile(0.5, now_s=1.0) is None


@pytest.mark.parametrize("code", NEITHER)
def test_cancels_and_shedding_say_nothing(code: StatusCode) -> None:
    """A cancel is the caller's; shedding is fast, and would draw more calls if it counted."""
    assert after(code).latency_s(1.0) == pytest.approx(Load(0.0).latency_s(1.0))


def test_shedding_with_pushback_costs_what_it_asks() -> None:
    """Whoever says "not for 8 s" isn't picked for 8 s, if it can be helped."""
    assert after(StatusCode.RESOURCE_EXHAUSTED, pushback="8000").latency_s(1.0) == 8.0


def test_a_refusal_to_be_retried_costs_5_s() -> None:
    """A negative pushback is one too."""
    assert after(StatusCode.UNAVAILABLE, pushback="-1").latency_s(1.0) == 5.0


def test_a_deadline_without_a_p95_counts() -> None:
    """With nothing to compare, it is the instance's."""
    assert after(StatusCode.DEADLINE_EXCEEDED).failures_in_row == 1


@pytest.mark.parametrize(("timeout_s", "failures"), [(0.4, 0), (0.5, 1), (None, 1)])
def test_a_deadline_counts_where_the_attempt_had_a_fair_time(
    timeout_s: float | None, failures: int
) -> None:
    """At least the p95: with less, most attempts would have failed."""
    of = method()
    for _ in range(20):
        of.latencies.add(0.5, 1.0)

    load = after(StatusCode.DEADLINE_EXCEEDED, of, timeout_s=timeout_s)

    assert load.failures_in_row == failures


def test_a_success_ends_a_row_of_failures() -> None:
    """And is a sample of the method's latency."""
    load, of = Load(0.0), method()
    load.failed(0.1, 0.0)

    for _ in range(20):
        observation.succeeded(of, load, 0.2, 1.0)

    assert load.failures_in_row == 0
    assert of.latencies.percentile(0.5, now_s=1.0) == 0.2


@pytest.mark.parametrize("code", [*BAD, StatusCode.DEADLINE_EXCEEDED, StatusCode.NOT_FOUND])
def test_methods_that_wait_tell_nothing(code: StatusCode) -> None:
    """Their answers take as long as something else."""
    of = method(waits=True)

    load = after(code, of)
    observation.succeeded(of, load, 9.0, 1.0)
    observation.stream_failed(of, load, StatusCode.UNAVAILABLE, now_s=1.0)

    assert load.latency_s(1.0) == pytest.approx(Load(0.0).latency_s(1.0))
    assert of.latencies.percentile(0.0, now_s=1.0) is None


@pytest.mark.parametrize(("code", "failures"), [(code, 1) for code in BAD] + [(StatusCode.OK, 0)])
def test_a_stream_counts_only_where_it_breaks(code: StatusCode, failures: int) -> None:
    """Its latency was that of its first message; its length says nothing."""
    load = Load(0.0)

    observation.stream_failed(method(), load, code, now_s=1.0)

    assert load.failures_in_row == failures
