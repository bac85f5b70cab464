"""Timeouts and delays of a saga runner."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SagaTiming:
    """How long a step may take, and when it is repeated.

    A step with an unknown outcome is repeated after `backoff_first_s`, and the delay doubles up to
    `backoff_max_s`. A step older than `review_after_s` needs an operator's review; from then on it
    is repeated every `review_retry_s`.
    """

    step_timeout_s: float = 3.0
    backoff_first_s: float = 0.1
    backoff_max_s: float = 10.0
    review_after_s: float = 300.0
    review_retry_s: float = 30.0
