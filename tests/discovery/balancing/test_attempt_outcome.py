"""What the end of an attempt counts as, for load, ejection and breaker."""

import grpc
import pytest
from grpc import StatusCode

from discovery.balancing import attempt_outcome
from discovery.balancing.instance_stats import InstanceStats
from discovery.balancing.load import Load
from discovery.registry.instance import Instance
from discovery.rules.failure_codes import OVERLOAD
from discovery.rules.method import Kind, Method
from discovery.rules.retry_policy import DEFAULT_RETRY

FAULTS = (StatusCode.UNKNOWN, StatusCode.INTERNAL, StatusCode.DATA_LOSS)
BAD = (StatusCode.UNAVAILABLE, *FAULTS)
NEITHER = (StatusCode.CANCELLED, StatusCode.RESOURCE_EXHAUSTED, StatusCode.UNIMPLEMENTED)
UNAVAILABLE = grpc.aio.AioRpcError(StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata())
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


class EjectorCalls:
    """Records what the ejector is called with."""

    def __init__(self) -> None:
        self.failed: list[tuple[float, float]] = []
        self.succeeded: list[tuple[float, float]] = []

    def record(self) -> InstanceStats:
        """A new record that reports to `EjectorCalls`."""
        return InstanceStats(
            Instance("a", "service", "127.0.0.1", 1),
            0.0,
            suspect=lambda _, _method, _code, began_s, now_s: self.failed.append((began_s, now_s)),
            redeem=lambda _, began_s, now_s: self.succeeded.append((began_s, now_s)),
        )


def after(
    code: StatusCode,
    of: Method | None = None,
    *,
    pushback: str | None = None,
    timeout_s: float | None = 1.0,
) -> Load:
    """The load after one attempt of 1 ms that ended with this code."""
    return record_after(code, of, pushback=pushback, timeout_s=timeout_s).load


def record_after(
    code: StatusCode,
    of: Method | None = None,
    *,
    pushback: str | None = None,
    timeout_s: float | None = 1.0,
) -> InstanceStats:
    """The record of the instance after that attempt."""
    trailing = grpc.aio.Metadata()
    if pushback is not None:
        trailing.add("grpc-retry-pushback-ms", pushback)
    error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing)
    record = EjectorCalls().record()
    of = of or method()
    attempt_outcome.failed(of, record, error, latency_s=0.001, timeout_s=timeout_s, now_s=1.0)
    return record


def test_an_instance_that_is_unavailable_fails() -> None:
    """UNAVAILABLE is a failure in a row, since the instance may be absent."""
    assert after(StatusCode.UNAVAILABLE).failures_in_row == 1


@pytest.mark.parametrize("code", FAULTS)
def test_faults_of_an_application_cost_load_but_are_no_row(code: StatusCode) -> None:
    """An instance that fails fast must not look fast, but its answer shows that it is there."""
    load = after(code)

    assert load.failures_in_row == 0
    assert load.latency_s(1.0) > 0.030


def test_faults_in_a_row_cost_5_s_at_most() -> None:
    """Each fault counts as ten times the usual latency, which must not grow without a limit."""
    record, of = EjectorCalls().record(), method()
    for _ in range(10):
        attempt_outcome.stream_failed(of, record, StatusCode.INTERNAL, latency_s=0.0, now_s=1.0)

    assert record.load.latency_s(1.0) == pytest.approx(5.0)


@pytest.mark.parametrize("code", GOOD)
def test_every_other_answer_is_a_success_of_the_transport(code: StatusCode) -> None:
    """An answer such as NOT_FOUND is a success, and its latency counts."""
    of = method()

    load = after(code, of)

    assert load.failures_in_row == 0
    assert load.latency_s(1.0) < 0.030
    assert of.latencies.percentile(0.5, now_s=1.0) is None


@pytest.mark.parametrize("code", NEITHER)
def test_cancels_and_shedding_say_nothing(code: StatusCode) -> None:
    """A cancelled call and shed load change nothing; shedding is fast and would attract calls."""
    assert after(code).latency_s(1.0) == pytest.approx(Load(0.0).latency_s(1.0))


def test_shedding_with_pushback_costs_what_it_asks() -> None:
    """An instance that asks for 8 s without calls is avoided for 8 s."""
    assert after(StatusCode.RESOURCE_EXHAUSTED, pushback="8000").latency_s(1.0) == 8.0


def test_a_refusal_to_be_retried_costs_5_s() -> None:
    """A negative pushback costs 5 s."""
    assert after(StatusCode.UNAVAILABLE, pushback="-1").latency_s(1.0) == 5.0


def test_a_deadline_without_a_p95_counts() -> None:
    """While there is no p95, DEADLINE_EXCEEDED counts as the instance's failure."""
    assert after(StatusCode.DEADLINE_EXCEEDED).failures_in_row == 1


@pytest.mark.parametrize(("timeout_s", "failures"), [(0.4, 0), (0.5, 1), (None, 1)])
def test_a_deadline_counts_where_the_attempt_had_a_fair_time(
    timeout_s: float | None, failures: int
) -> None:
    """DEADLINE_EXCEEDED counts if the attempt had at least the p95 of time."""
    of = method()
    for _ in range(20):
        of.latencies.add(0.5, 1.0)

    load = after(StatusCode.DEADLINE_EXCEEDED, of, timeout_s=timeout_s)

    assert load.failures_in_row == failures


def test_a_success_ends_a_row_of_failures() -> None:
    """A success resets the failures in a row, and is a sample of the method's latency."""
    record, of = EjectorCalls().record(), method()
    record.load.failed(0.1, 0.0)

    for _ in range(20):
        attempt_outcome.succeeded(of, record, 0.2, 1.0)

    assert record.load.failures_in_row == 0
    assert of.latencies.percentile(0.5, now_s=1.0) == 0.2


@pytest.mark.parametrize("code", [*BAD, StatusCode.DEADLINE_EXCEEDED, StatusCode.NOT_FOUND])
def test_methods_that_wait_feed_no_load(code: StatusCode) -> None:
    """The latency of a method marked `waits` says nothing about the instance."""
    of = method(waits=True)

    record = record_after(code, of)
    for _ in range(20):
        attempt_outcome.succeeded(of, record, 9.0, 1.0)
    attempt_outcome.stream_failed(of, record, StatusCode.UNAVAILABLE, latency_s=9.0, now_s=1.0)

    load = record.load
    assert load.latency_s(1.0) == pytest.approx(Load(0.0).latency_s(1.0))
    assert of.latencies.percentile(0.0, now_s=1.0) is None


def test_an_unknown_method_says_nothing_about_the_load() -> None:
    """The fast UNIMPLEMENTED of a server without the method is no latency, only noted for it."""
    of = method()

    record = record_after(StatusCode.UNIMPLEMENTED, of)

    assert record.load.latency_s(1.0) == pytest.approx(Load(0.0).latency_s(1.0))
    assert of.latencies.percentile(0.0, now_s=1.0) is None
    assert list(of.unserved) == [record]


@pytest.mark.parametrize(("code", "failures"), [(code, 1) for code in BAD] + [(StatusCode.OK, 0)])
def test_a_stream_counts_only_where_it_breaks(code: StatusCode, failures: int) -> None:
    """A stream's end counts only as a failure; its latency was that of its first message."""
    record, of = EjectorCalls().record(), method()

    attempt_outcome.stream_failed(of, record, code, latency_s=0.5, now_s=1.0)

    assert record.load.failures_in_row == (code is StatusCode.UNAVAILABLE)
    assert record.totals(1.0)[1] == failures
    assert len(of.outcomes.failures) == (code is StatusCode.UNAVAILABLE)


@pytest.mark.parametrize(
    ("code", "waits", "ratio", "in_row"),
    [
        *((StatusCode.UNAVAILABLE, waits, 1, 1) for waits in (False, True)),
        *((code, waits, 1, 0) for code in FAULTS for waits in (False, True)),
        (StatusCode.DEADLINE_EXCEEDED, False, 1, 1),
        (StatusCode.DEADLINE_EXCEEDED, True, 0, 0),
        (StatusCode.RESOURCE_EXHAUSTED, False, 1, 0),
        (StatusCode.CANCELLED, False, 0, 0),
        (StatusCode.UNIMPLEMENTED, False, 0, 0),
        *((code, False, 0, 0) for code in GOOD),
    ],
)
def test_ejection_and_breaker_count_the_same_attempts(
    code: StatusCode, *, waits: bool, ratio: int, in_row: int
) -> None:
    """Both count failures of waiting methods, but not their deadlines; shedding and faults of the
    application count in ratios only. For the breaker, what an application answers is no failure.
    """
    of = method(waits=waits)

    record = record_after(code, of)

    assert record.load.failures_in_row == in_row
    assert record.totals(1.0) == (1 if code in GOOD else ratio, ratio)
    assert len(of.outcomes.failures) == (ratio if code in OVERLOAD else 0)
    assert len(of.outcomes.calls) == (1 if code in GOOD else ratio)


@pytest.mark.parametrize(
    "details",
    [
        "CLIENT: Received message larger than max (5000000 vs. 4194304)",
        "SERVER: Received message larger than max (5000000 vs. 4194304)",
        "CLIENT: Sent message larger than max (5000000 vs. 4194304)",
        "grpc: received message larger than max (5000000 vs. 4194304)",
        "gRPC message exceeds maximum size 4194304: 5000000",
    ],
)
def test_a_message_above_a_limit_is_no_overload(details: str) -> None:
    """gRPC ends such a call with RESOURCE_EXHAUSTED, but no instance is to blame."""
    record, of = EjectorCalls().record(), method()
    code, empty = StatusCode.RESOURCE_EXHAUSTED, grpc.aio.Metadata()
    error = grpc.aio.AioRpcError(code, empty, empty, details)

    attempt_outcome.failed(of, record, error, latency_s=0.1, timeout_s=1.0, now_s=1.0)
    attempt_outcome.stream_failed(of, record, code, latency_s=0.1, now_s=1.0, details=details)

    assert record.totals(1.0)[1] == 0
    assert not of.outcomes.failures


def test_every_failure_is_reported_to_the_ejector() -> None:
    """The ejector gets the instants at which the attempt began and ended."""
    calls, of = EjectorCalls(), method()
    record = calls.record()
    error = grpc.aio.AioRpcError(StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata())

    attempt_outcome.failed(of, record, error, latency_s=0.5, timeout_s=1.0, now_s=2.0)
    attempt_outcome.stream_failed(of, record, StatusCode.INTERNAL, latency_s=1.0, now_s=3.0)
    attempt_outcome.succeeded(of, record, 0.5, 4.0)

    assert calls.failed == [(1.5, 2.0), (2.0, 3.0)]
    assert calls.succeeded == []


def test_shedding_with_pushback_is_no_failure_in_a_row() -> None:
    """Shedding raises the load, but is no failure in a row: the instance isn't broken."""
    assert after(StatusCode.RESOURCE_EXHAUSTED, pushback="8000").failures_in_row == 0


def test_attempts_lost_with_one_connection_are_one_failure_to_the_breaker() -> None:
    """A process that is killed takes many calls with it, but the service has failed once."""
    of, record = method(), EjectorCalls().record()
    for began_s in (1.0, 1.5, 2.0):
        attempt_outcome.failed(
            of, record, UNAVAILABLE, latency_s=3.0 - began_s, timeout_s=None, now_s=3.0, lost=True
        )
    attempt_outcome.stream_failed(
        of, record, StatusCode.UNAVAILABLE, latency_s=2.0, now_s=3.1, lost=True
    )
    assert len(of.outcomes.failures) == len(of.outcomes.calls) == 1
    # Ejection counts each of them.
    assert len(record.outcomes[of].failures) == 4

    # Its next connection was lost, too, and it answered one more attempt with UNAVAILABLE.
    for lost in (True, False):
        attempt_outcome.failed(
            of, record, UNAVAILABLE, latency_s=0.5, timeout_s=None, now_s=4.0, lost=lost
        )
    assert len(of.outcomes.failures) == 3
