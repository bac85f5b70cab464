"""How long a call may wait for work that goes on without it."""

from discovery.rules.deadline import UNSET_S

# For a caller without a deadline.
DEFAULT_PATIENCE_S = 10.0
# Kept back for the answer's way to the caller: the lesser of the two.
ANSWER_S = 0.2
ANSWER_SHARE = 0.1


def patience_s(time_remaining_s: float | None) -> float:
    """Seconds to wait when the caller's deadline is that far away; None where there is none.

    Ends min(200 ms, 10 %) before the deadline, so that the answer still arrives in time.
    """
    if time_remaining_s is None or time_remaining_s > UNSET_S:
        return DEFAULT_PATIENCE_S
    return max(0.0, time_remaining_s - min(ANSWER_S, ANSWER_SHARE * time_remaining_s))
