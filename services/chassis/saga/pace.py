"""How long a saga runner waits for what."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the runner waits for what.

    Unknown outcomes repeat after `backoff_first_s`, doubled each time up to `backoff_max_s`;
    what needs review repeats every `review_retry_s`. A step older than `review_after_s` needs it.
    """

    step_timeout_s: float = 3.0
    backoff_first_s: float = 0.1
    backoff_max_s: float = 10.0
    review_after_s: float = 300.0
    review_retry_s: float = 30.0
