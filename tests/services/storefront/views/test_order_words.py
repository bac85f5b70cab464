"""What customers are told of states, events and refusals."""

import pytest
from tradepost.order.v1 import order_event_pb2, order_pb2

from services.storefront.views import states
from services.storefront.views.order_view import order_view
from services.storefront.views.refusal_view import refusal_view
from services.storefront.views.timeline import timeline_entry
from tests.support.storefront.order_messages import an_order, names_of, refused, told, usd

STATES = names_of(order_pb2.OrderState, "ORDER_STATE_")
REASONS = names_of(order_pb2.OrderRefusalReason, "ORDER_REFUSAL_REASON_")
# A part of an event, not an event.
EVENTS = sorted(set(order_event_pb2.DESCRIPTOR.message_types_by_name) - {"PlacedLine"})
EVENTS.remove("CheckoutStepIds")
# What a newer service sends.
UNKNOWN, STATE_FIELD = 99, 3


@pytest.mark.parametrize("name", STATES)
def test_every_state_has_words_and_a_filter(name: str) -> None:
    """A customer is told what each state means, and finds orders in it by exactly one filter."""
    assert states.words(name) != states.words("")
    assert sum(name in selected for selected in states.FILTERS.values()) == 1
    chosen = {number for each in states.FILTERS for number in states.states_of(each)}
    assert STATES[name] in chosen


def test_an_unknown_filter_selects_all() -> None:
    """No states mean every state to the order service."""
    assert states.states_of("") == states.states_of("nonsense") == ()


def test_a_state_of_a_newer_contract_is_shown_as_busy() -> None:
    """An older storefront shows orders that it doesn't understand, and offers no cancel's end."""
    order = order_pb2.Order(version=1)
    order.MergeFromString(bytes((STATE_FIELD << 3, UNKNOWN)))
    view = order_view(order)
    assert view.words.label == "Under way"
    assert not view.is_final


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_has_words(event: str) -> None:
    """The story of an order has a line for each event of the contract."""
    entry = timeline_entry(told(3, event))
    assert (entry.version, entry.event) == (3, event)
    assert entry.label != timeline_entry(told(3, "FromTheFuture")).label


@pytest.mark.parametrize(
    ("state", "may"), [("RESERVING", True), ("CONFIRMED", True), ("FULFILLING", False)]
)
def test_a_cancel_is_offered_while_it_can_work(state: str, *, may: bool) -> None:
    """Until the goods leave, and not twice."""
    assert order_view(an_order(state)).is_cancellable is may
    assert not order_view(an_order(state, cancel_requested=True)).is_cancellable


@pytest.mark.parametrize("reason", REASONS)
def test_every_refusal_has_a_sentence(reason: str) -> None:
    """What a customer can do something about is said; the rest is not their business."""
    ours = {"FENCED", "STEP_FAILED"}
    view = refusal_view(refused(reason))
    assert view.reason == reason
    assert (view.sentence == "It could not be carried out.") is (reason in ours)


def test_a_changed_price_shows_both_totals() -> None:
    """The one that the customer agreed to, and the new one."""
    facts = {"expected": "500", "actual": "550", "currency_code": "USD"}
    view = refusal_view(refused("PRICE_CHANGED", **facts))
    assert view.expected is not None
    assert view.actual is not None
    assert (view.expected.minor_units, view.actual.minor_units) == (500, 550)


def test_a_decline_says_what_the_bank_said() -> None:
    """The customer can use another card."""
    view = refusal_view(refused("PAYMENT_DECLINED", decline_code="EXPIRED_CARD"))
    assert view.sentence == "Your payment was declined: the card is no longer valid."


def test_what_is_not_known_yet_is_none() -> None:
    """A new order has neither names nor prices, and no refusal."""
    line = order_pb2.OrderLine(sku="tea-1", quantity=2)
    view = order_view(order_pb2.Order(lines=[line], state=order_pb2.ORDER_STATE_RESERVING))
    assert (view.total, view.refunded, view.refusal) == (None, None, None)
    assert view.lines[0].unit_price is None


def test_a_return_says_what_came_back() -> None:
    """Its lines, its reason, and what was refunded once it is complete."""
    lines = an_order().lines
    under_way = order_pb2.OrderReturn(return_id="ret_1", lines=lines, amount=usd(500))
    complete = order_pb2.OrderReturn(
        return_id="ret_2",
        lines=lines,
        amount=usd(500),
        refunded_amount=usd(400),
        state=order_pb2.ORDER_RETURN_STATE_RETURNED,
    )
    first, second = order_view(an_order("RETURNING", returns=[under_way, complete])).returns
    assert (first.is_complete, first.refunded) == (False, None)
    assert second.is_complete
    assert second.refunded is not None
    assert second.refunded.minor_units == 400
