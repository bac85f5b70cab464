"""The states of an order in words, and how an order in each of them is doing."""

from tradepost.order.v1.order_pb2 import OrderState

from services.console.views.query_values import words_of
from services.console.views.table import Cell, Tone
from services.console.wire.texts import enum_word

PREFIX = "ORDER_STATE_"
WORDS = words_of(OrderState, PREFIX)
_GOOD = frozenset(["CONFIRMED", "FULFILLED", "RETURNED"])
_ENDED = frozenset(["REJECTED", "CANCELLED", "REFUNDED"])


def state_word(state: int) -> str:
    """The word of a state: "CONFIRMED"."""
    return enum_word(OrderState, state, PREFIX)


def state_cell(state: int, *, needs_review: bool = False) -> Cell:
    """A state as a cell; what needs a person says so."""
    word = state_word(state)
    if needs_review:
        return Cell(f"{word}, needs review", tone="bad")
    return Cell(word, tone=_tone(word))


def _tone(word: str) -> Tone:
    if word in _GOOD:
        return "good"
    return "dim" if word in _ENDED else "warn"
