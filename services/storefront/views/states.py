"""The states of an order in the words of a shop."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tradepost.order.v1 import order_pb2

from services.storefront.views.enum_names import name_of

_PREFIX = "ORDER_STATE_"


@dataclass(frozen=True, slots=True)
class StateWords:
    """A state for customers: a word, a sentence, and its tone: "good", "bad", "info", ""."""

    label: str
    meaning: str
    tone: str


_WORDS: Mapping[str, StateWords] = MappingProxyType(
    {
        "RESERVING": StateWords("Received", "We are setting your items aside.", "info"),
        "AUTHORIZING": StateWords("Received", "We are checking your payment.", "info"),
        "COMMITTING": StateWords("Received", "Your items and your payment are ready.", "info"),
        "CAPTURING": StateWords("Being paid", "Your payment is being taken.", "info"),
        "CONFIRMED": StateWords("Confirmed", "It is paid, and will leave soon.", "good"),
        "FULFILLING": StateWords("Being shipped", "It is leaving our warehouse.", "info"),
        "FULFILLED": StateWords("Shipped", "It is on its way to you.", "good"),
        "CANCELLING": StateWords("Being cancelled", "We are undoing what was begun.", "info"),
        "REJECTED": StateWords("Not accepted", "Nothing was charged.", "bad"),
        "CANCELLED": StateWords("Cancelled", "Nothing was charged.", ""),
        "REFUNDING": StateWords("Being refunded", "Your money is on its way back.", "info"),
        "REFUNDED": StateWords("Refunded", "You got everything back.", ""),
        "RETURNING": StateWords("Return under way", "We are taking goods back.", "info"),
        "RETURNED": StateWords("Returned", "Everything came back, and you got your money.", ""),
    }
)
# States of a newer contract.
_UNKNOWN = StateWords("Under way", "Something is happening to it.", "info")

_FINAL = frozenset({"FULFILLED", "REJECTED", "CANCELLED", "REFUNDED", "RETURNED"})
# The goods are leaving or have left, or the order is already being undone.
_NOT_CANCELLABLE = _FINAL | {"FULFILLING", "CANCELLING", "REFUNDING", "RETURNING"}

# What customers filter their orders by.
FILTERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "open": tuple(name for name in _WORDS if name not in _FINAL),
        "shipped": ("FULFILLED",),
        "ended": ("REJECTED", "CANCELLED", "REFUNDED", "RETURNED"),
    }
)


def state_name(state: int) -> str:
    """Return the state's name without its prefix, such as "CONFIRMED"; "" for a newer one."""
    return name_of(order_pb2.OrderState.DESCRIPTOR, state, _PREFIX)


def words(name: str) -> StateWords:
    """Return what customers are told of a state."""
    return _WORDS.get(name, _UNKNOWN)


def is_final(name: str) -> bool:
    """Whether nothing happens to the order any more, unless goods come back."""
    return name in _FINAL


def is_cancellable(name: str) -> bool:
    """Whether it is worth while to ask for a cancel; the order service decides."""
    return name not in _NOT_CANCELLABLE


def states_of(filter_name: str) -> tuple[order_pb2.OrderState.ValueType, ...]:
    """Return the states that a filter selects; none, which means all, for an unknown filter."""
    names = FILTERS.get(filter_name, ())
    return tuple(order_pb2.OrderState.Value(f"{_PREFIX}{name}") for name in names)
