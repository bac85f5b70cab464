"""Errors of the domain.

UnknownOrderError    a bug or a gap in the feed: the event becomes a dead letter
"""


class UnknownOrderError(Exception):
    """An order ended whose OrderPlaced was never applied, so its customer is not known."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"{order_id} was never seen being placed")
