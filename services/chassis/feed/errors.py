"""Errors of reading a feed, by what the reader can do: start at another position.

PositionTruncatedError      start at the oldest position
PositionAheadOfHeadError    get the feed's head first
EpochChangedError           rewind to zero
HistoryChangedError         an operator begins a new epoch or rewinds the consumer

A feed never skips events silently; it refuses a read that it cannot answer in full.
"""


class PositionTruncatedError(Exception):
    """Events after the position were deleted; the oldest that is kept comes later."""

    def __init__(self, *, after_position: int, oldest_position: int) -> None:
        super().__init__(
            f"events after position {after_position} are gone, the oldest is {oldest_position}"
        )
        self.facts = {
            "after_position": str(after_position),
            "oldest_position": str(oldest_position),
        }


class PositionAheadOfHeadError(Exception):
    """The position is above the head, so it belongs to another log or to another epoch."""

    def __init__(self, *, after_position: int, head_position: int) -> None:
        super().__init__(f"position {after_position} is above the head, {head_position}")
        self.facts = {"after_position": str(after_position), "head_position": str(head_position)}


class EpochChangedError(Exception):
    """The log has another epoch, in which positions of the requested epoch are meaningless."""

    def __init__(self, *, asked: str, epoch: str) -> None:
        super().__init__(f"the log has epoch {epoch}, not {asked}")
        self.facts = {"asked_epoch": asked, "epoch": epoch}


class HistoryChangedError(Exception):
    """The log has another event at the position: it was restored and has grown again since."""

    def __init__(self, *, after_position: int, asked: str, found: str) -> None:
        super().__init__(
            f"event {found} is at position {after_position}, not {asked}: the log was restored;"
            " begin a new epoch in the service of this feed, or rewind the consumer"
        )
        self.facts = {
            "after_position": str(after_position),
            "asked_event_id": asked,
            "event_id": found,
        }
