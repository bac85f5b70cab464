"""Records the end of an attempt for load, ejection and breaker, by one table.

| ended with                                   | load                     | ejection              |
|----------------------------------------------|--------------------------|-----------------------|
| UNAVAILABLE                                  | a failure's cost         | a failure             |
| UNKNOWN, INTERNAL, DATA_LOSS                 | a fault's cost           | a failure in ratios,  |
|                                              |                          | none in a row         |
| DEADLINE_EXCEEDED, given at least the        | a failure's cost         | a failure             |
| method's p95 (any time while there is none)  |                          |                       |
| DEADLINE_EXCEEDED, with less time            | nothing                  | nothing               |
| RESOURCE_EXHAUSTED                           | max(5 s, pushback), if   | a failure in ratios,  |
|                                              | it comes with pushback   | none in a row         |
| CANCELLED, by either side                    | nothing                  | nothing               |
| UNIMPLEMENTED, without google.rpc.Status     | nothing; `unserved` keeps the method away       |
| OK and every other code                      | its latency              | a success             |

An attempt of a method that `waits` doesn't change the load, and its DEADLINE_EXCEEDED counts as
nothing. A stream succeeds with its first message, and fails when it breaks, before or after that.

The breaker counts the same attempts, but only the codes of `Method.breaker_codes` as failures: by
default UNAVAILABLE, DEADLINE_EXCEEDED and RESOURCE_EXHAUSTED. A message above a size limit, which
gRPC answers with RESOURCE_EXHAUSTED, is a success. All attempts that one lost connection takes with
it are one failure to the breaker: they tell of one process that ended, not of the service.
"""

import grpc

from discovery.balancing import unserved
from discovery.balancing.instance_stats import InstanceStats
from discovery.rules.failure_codes import (
    APPLICATION_FAULTS,
    FAILURES,
    is_too_large,
    is_unknown_method,
)
from discovery.rules.method import Method
from discovery.rules.retry_policy import pushback_s

_FAIR_TIME = 0.95


def succeeded(
    method: Method, record: InstanceStats, latency_s: float, now_s: float, *, measured: bool = True
) -> None:
    """Record an answer, or a stream's first message; not `measured`: without its latency."""
    method.outcomes.calls.append(now_s)
    record.outcomes[method].calls.append(now_s)
    load = record.load
    load.failures_in_row = 0
    if measured and not method.waits:
        load.observe(latency_s, now_s)
        method.latencies.add(latency_s, now_s)
    if record.ejection is not None:
        record.redeem(record, now_s - latency_s, now_s)


def failed(
    method: Method,
    record: InstanceStats,
    error: grpc.aio.AioRpcError,
    *,
    latency_s: float,
    timeout_s: float | None,
    now_s: float,
    lost: bool = False,
) -> None:
    """Record a unary attempt that ended in an error; `lost`: with its connection."""
    code = error.code()
    if code is grpc.StatusCode.CANCELLED:
        return
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        if _had_fair_time(method, timeout_s, now_s):
            _failure(method, record, code, latency_s, now_s)
    elif code in FAILURES:
        asked_s = _pushback_s(error)
        _failure(method, record, code, latency_s, now_s, asked_s=asked_s, lost=lost)
    elif code is grpc.StatusCode.RESOURCE_EXHAUSTED and not is_too_large(code, error.details()):
        _shed(method, record, latency_s, now_s, asked_s=_pushback_s(error))
    elif is_unknown_method(error):
        unserved.note(method, record, now_s)
    else:
        succeeded(method, record, latency_s, now_s)


def stream_failed(
    method: Method,
    record: InstanceStats,
    code: grpc.StatusCode,
    *,
    latency_s: float,
    now_s: float,
    details: str | None = None,
    lost: bool = False,
) -> None:
    """Record the end of a stream; its first message was recorded, so only a failure counts."""
    if code in FAILURES:
        _failure(method, record, code, 0.0, now_s, lasted_s=latency_s, lost=lost)
    elif code is grpc.StatusCode.RESOURCE_EXHAUSTED and not is_too_large(code, details):
        _shed(method, record, latency_s, now_s, asked_s=None)
    elif code is grpc.StatusCode.UNIMPLEMENTED:
        unserved.note(method, record, now_s)


def _had_fair_time(method: Method, timeout_s: float | None, now_s: float) -> bool:
    if method.waits:
        return False
    fair_s = method.latencies.percentile(_FAIR_TIME, now_s=now_s)
    return fair_s is None or timeout_s is None or timeout_s >= fair_s


def _failure(
    method: Method,
    record: InstanceStats,
    code: grpc.StatusCode,
    latency_s: float,
    now_s: float,
    *,
    asked_s: float | None = None,
    lasted_s: float | None = None,
    lost: bool = False,
) -> None:
    load = record.load
    if code in APPLICATION_FAULTS:
        if not method.waits:
            load.faulted(latency_s, now_s, pushback_s=asked_s)
    elif method.waits:
        load.failures_in_row += 1
    else:
        load.failed(latency_s, now_s, pushback_s=asked_s)
    began_s = now_s - (latency_s if lasted_s is None else lasted_s)
    _note(method, record, code, began_s, now_s, lost=lost)


def _shed(
    method: Method, record: InstanceStats, latency_s: float, now_s: float, *, asked_s: float | None
) -> None:
    # Shedding is fast: its latency would attract more calls to the overloaded instance.
    if asked_s is not None and not method.waits:
        record.load.pushed_back(asked_s, now_s)
    _note(method, record, grpc.StatusCode.RESOURCE_EXHAUSTED, now_s - latency_s, now_s)


def _note(
    method: Method,
    record: InstanceStats,
    code: grpc.StatusCode,
    began_s: float,
    now_s: float,
    *,
    lost: bool = False,
) -> None:
    if code not in method.breaker_codes:
        method.outcomes.calls.append(now_s)
    elif not lost:
        method.outcomes.failed(now_s, record, began_s=began_s)
    elif began_s >= record.lost_s:
        # The first attempt that this loss ended; the others began before it, too.
        record.lost_s = now_s
        method.outcomes.failed(now_s, record, began_s=began_s)
    record.outcomes[method].failed(now_s, code)
    record.suspect(record, method, code, began_s, now_s)


def _pushback_s(error: grpc.aio.AioRpcError) -> float | None:
    """The pushback in the trailers; a negative one counts as 0, so the rule's own cost applies."""
    asked_s = pushback_s(error.trailing_metadata())
    return None if asked_s is None else max(asked_s, 0.0)
