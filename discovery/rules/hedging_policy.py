"""When a second attempt is sent in parallel to a slow first one (gRFC A6, hedgingPolicy)."""

from dataclasses import dataclass

import grpc

from discovery.rules.failure_codes import FAILURES

LEAST_DELAY_S = 0.002
DELAY_PERCENTILE = 0.95


@dataclass(frozen=True, slots=True)
class HedgingPolicy:
    """At most two attempts; the second is sent after the method's p95 and after `least_delay_s`.

    It applies to unary calls, and to streams of responses until their first message. If an attempt
    fails with a code in `non_fatal`, the other one may still win; any other error ends the call.
    """

    least_delay_s: float = LEAST_DELAY_S
    non_fatal: frozenset[grpc.StatusCode] = FAILURES | {
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
