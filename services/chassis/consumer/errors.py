"""Errors of consumers and dead letters.

DeadLetterNotFoundError, ConsumerNotFoundError, PositionNotReachedError    don't retry
FeedUnreachableError  retry later
PositionMovedError    read the consumer's position again; it never reaches a caller
"""

from collections.abc import Iterable


class DeadLetterNotFoundError(Exception):
    """No event is parked under this id, or for this aggregate."""

    def __init__(self, **facts: str) -> None:
        named = ", ".join(f"{key} {value}" for key, value in facts.items())
        super().__init__(f"no event is parked for {named}")
        self.facts = facts


class ConsumerNotFoundError(Exception):
    """The service has no consumer of this name."""

    def __init__(self, consumer: str, known: Iterable[str] = ()) -> None:
        names = ", ".join(sorted(known)) or "none"
        super().__init__(f"there is no consumer {consumer}; the service has: {names}")
        self.facts = {"consumer": consumer}


class PositionNotReachedError(Exception):
    """A consumer cannot be moved ahead: the events in between would never be applied."""

    def __init__(self, *, consumer: str, after_position: int, position: int) -> None:
        super().__init__(f"{consumer} is at position {position}, which is before {after_position}")
        self.facts = {
            "consumer": consumer,
            "after_position": str(after_position),
            "position": str(position),
        }


class FeedUnreachableError(Exception):
    """The feed does not say where its head is, so a position above it would not be noticed."""

    def __init__(self, consumer: str) -> None:
        super().__init__(
            f"the feed of {consumer} does not answer; only a rewind to 0 needs no answer of it"
        )
        self.facts = {"consumer": consumer}


class PositionMovedError(Exception):
    """The consumer is not at the position that this batch follows."""
