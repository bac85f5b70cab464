"""Why a feed can't be read from where it was asked for, nor a consumer be dealt with as asked.

    start elsewhere     PositionTruncatedError (from the oldest), PositionAheadOfHeadError (ask
                        for the feed first), EpochChangedError (rewind to zero)
    don't retry         DeadLetterNotFoundError, ConsumerNotFoundError, PositionNotReachedError

A feed never skips silently: what it can't give in full, it refuses.
"""


class PositionTruncatedError(Exception):
    """Events after the position are gone; the oldest that is kept lies further on."""

    def __init__(self, *, after_position: int, oldest_position: int) -> None:
        super().__init__(
            f"events after position {after_position} are gone, the oldest is {oldest_position}"
        )
        self.facts = {
            "after_position": str(after_position),
            "oldest_position": str(oldest_position),
        }


class PositionAheadOfHeadError(Exception):
    """The log has not come that far: the position is of another log, or of another epoch."""

    def __init__(self, *, after_position: int, head_position: int) -> None:
        super().__init__(f"position {after_position} is above the head, {head_position}")
        self.facts = {"after_position": str(after_position), "head_position": str(head_position)}


class EpochChangedError(Exception):
    """Positions of the epoch that was asked for mean nothing any more."""

    def __init__(self, *, asked: str, epoch: str) -> None:
        super().__init__(f"the log has epoch {epoch}, not {asked}")
        self.facts = {"asked_epoch": asked, "epoch": epoch}
