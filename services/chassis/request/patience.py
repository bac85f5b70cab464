"""How long a call waits for work that goes on in the background."""

from discovery.rules.deadline import UNSET_S

# For a caller without a deadline.
DEFAULT_PATIENCE_S = 10.0
# The smaller of the two is reserved for sending the response.
ANSWER_S = 0.2
ANSWER_SHARE = 0.1


def patience_s(time_remaining_s: float | None) -> float:
    """Return how many seconds to wait when the caller's deadline is so far away; None: no deadline.

    The wait ends min(200 ms, 10 %) before the deadline, so that the response arrives in time.
    """
    if time_remaining_s is None or time_remaining_s > UNSET_S:
        return DEFAULT_PATIENCE_S
    return max(0.0, time_remaining_s - min(ANSWER_S, ANSWER_SHARE * time_remaining_s))
