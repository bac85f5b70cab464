"""When a second attempt is sent beside a slow first one, as a value (gRFC A6, hedgingPolicy)."""

from dataclasses import dataclass

import grpc

from discovery.rules.failure_codes import FAILURES

LEAST_DELAY_S = 0.002
DELAY_PERCENTILE = 0.95


@dataclass(frozen=True, slots=True)
class HedgingPolicy:
    """Two attempts at most, the second after the method's p95, but not before `least_delay_s`.

    For unary calls, and for streams of responses until their first message. After a failure of one
    of `non_fatal` the other attempt may still win; any other error is the answer.
    """

    least_delay_s: float = LEAST_DELAY_S
    non_fatal: frozenset[grpc.StatusCode] = FAILURES | {
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
