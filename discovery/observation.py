"""What the end of an attempt tells: one table for the load of an instance.

| ended with                                   | counts as                                        |
|----------------------------------------------|--------------------------------------------------|
| UNAVAILABLE, UNKNOWN, INTERNAL, DATA_LOSS    | a failure                                        |
| DEADLINE_EXCEEDED                            | a failure where the attempt had at least the p95 |
|                                              | of time (any time, while there is no p95)        |
| RESOURCE_EXHAUSTED                           | nothing; a failure where it comes with pushback  |
| CANCELLED, by either side                    | nothing                                          |
| OK and every other code                      | a success of the transport, with its latency     |

Methods that wait for something else (`waits`) tell nothing.
"""

import grpc

from discovery.load import Load
from discovery.method import Method
from discovery.retry_policy import pushback_s

FAILURES = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.DATA_LOSS,
    }
)
_FAIR_TIME = 0.95


def succeeded(method: Method, load: Load, latency_s: float, now_s: float) -> None:
    """An answer arrived, for a stream its first message."""
    if not method.waits:
        load.failures_in_row = 0
        load.observe(latency_s, now_s)
        method.latencies.add(latency_s, now_s)


def failed(
    method: Method,
    load: Load,
    error: grpc.aio.AioRpcError,
    *,
    latency_s: float,
    timeout_s: float | None,
    now_s: float,
) -> None:
    """A unary attempt ended in an error."""
    code = error.code()
    if method.waits or code is grpc.StatusCode.CANCELLED:
        return
    told_s = _pushback_s(error)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        fair_s = method.latencies.percentile(_FAIR_TIME, now_s=now_s)
        if fair_s is None or timeout_s is None or timeout_s >= fair_s:
            load.failed(latency_s, now_s)
    elif code in FAILURES or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and told_s is not None):
        load.failed(latency_s, now_s, pushback_s=told_s)
    elif code is not grpc.StatusCode.RESOURCE_EXHAUSTED:
        # Shedding is fast: its latency would draw more calls to the instance that sheds.
        succeeded(method, load, latency_s, now_s)


def stream_failed(method: Method, load: Load, code: grpc.StatusCode, *, now_s: float) -> None:
    """A stream ended. Its latency was that of its first message, so only a failure counts."""
    if not method.waits and code in FAILURES:
        load.failed(0.0, now_s)


def _pushback_s(error: grpc.aio.AioRpcError) -> float | None:
    """What the trailers say; "don't try again" asks for no longer than the rule's own penalty."""
    told_s = pushback_s(error.trailing_metadata())
    return None if told_s is None else max(told_s, 0.0)
