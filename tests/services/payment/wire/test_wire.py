"""Payments and their facts as messages: nothing lost, nothing told that isn't known."""

import pytest
from google.protobuf.message import Message
from tradepost.payment.v1 import payment_event_pb2, payment_pb2

from services.chassis.request.wire_values import to_timestamp
from services.payment.domain import commands
from services.payment.domain.state import DeclineCode, PaymentState, RefusalReason
from services.payment.wire import replies
from services.payment.wire.events import to_message, to_new_event
from tests.support.payment.payment_in_memory import (
    AUTHORIZED,
    NOON,
    ORDER,
    PAYMENT,
    PaymentInMemory,
    authorize,
    capture,
    refund,
    void,
    void_unseen,
)

STORIES = (
    (authorize(), commands.Declined(DeclineCode.EXPIRED_CARD)),
    (authorize(), AUTHORIZED, void(), commands.Voided()),
    (authorize(), AUTHORIZED, capture(), commands.Expired()),
    (
        authorize(),
        AUTHORIZED,
        capture(),
        commands.Captured(),
        refund(1),
        commands.Refunded("refund_1"),
    ),
    (
        authorize(),
        AUTHORIZED,
        capture(),
        commands.Captured(),
        refund(1),
        commands.RefundRefused("refund_1", "no"),
    ),
    (void_unseen(),),
)


def messages(*told: commands.Command) -> dict[str, Message]:
    """The facts of a story as messages, by their short names."""
    facts = (to_message(event) for event in PaymentInMemory(*told).events)
    return {fact.DESCRIPTOR.name: fact for fact in facts}


def test_every_fact_of_the_contract_can_be_told() -> None:
    """And each names its payment; the log keeps it under its full name."""
    told = {name for story in STORIES for name in messages(*story)}
    contract = payment_event_pb2.DESCRIPTOR.message_types_by_name

    assert told == set(contract)
    for story in STORIES:
        for event in PaymentInMemory(*story).events:
            stored = to_new_event(event)
            assert stored.type.startswith("tradepost.payment.v1.")
            name = stored.type.rpartition(".")[2]
            read = getattr(payment_event_pb2, name).FromString(stored.payload)
            assert read.payment_id == PAYMENT
            assert getattr(read, "order_id", ORDER) == ORDER


def test_facts_made_by_calls_say_so() -> None:
    """Handlers of events act on the other kind only."""
    facts = messages(authorize(), AUTHORIZED, capture(), commands.Captured())

    assert facts
    for fact in facts.values():
        assert getattr(fact, "origin", None) == payment_event_pb2.PAYMENT_ORIGIN_ORCHESTRATED


def test_a_tombstone_says_that_it_is_one() -> None:
    """A void of what was authorized does not."""
    (tombstone,) = messages(void_unseen()).values()
    voided = messages(authorize(), AUTHORIZED, void(), commands.Voided())["PaymentVoided"]

    assert isinstance(tombstone, payment_event_pb2.PaymentVoided)
    assert tombstone.tombstone
    assert tombstone.authorize_request_id == "authorize_1"
    assert isinstance(voided, payment_event_pb2.PaymentVoided)
    assert not voided.tombstone


def test_a_tombstone_has_no_amounts() -> None:
    """Nobody told it any, and zero dollars would be a claim."""
    message = replies.to_payment(PaymentInMemory(void_unseen()).payment)

    for field in ("amount", "captured_amount", "refunded_amount", "refund_pending_amount"):
        assert not message.HasField(field)
    assert message.refusal.reason == payment_pb2.PAYMENT_REFUSAL_REASON_AUTHORIZATION_FENCED


def test_amounts_on_their_way_back_are_told_apart() -> None:
    """Gone, and going."""
    payment = PaymentInMemory(*STORIES[3], refund(300, "refund_2")).payment
    message = replies.to_payment(payment)

    assert message.captured_amount.minor_units == 1000
    assert message.refunded_amount.minor_units == 1
    assert message.refund_pending_amount.minor_units == 300
    assert message.amount.currency_code == message.refunded_amount.currency_code == "USD"


def test_instants_are_told_to_the_microsecond() -> None:
    """As they were recorded."""
    instant = NOON.replace(microsecond=123456)

    assert to_timestamp(instant).ToNanoseconds() % 1_000_000_000 == 123_456_000
    assert to_timestamp(instant).seconds == int(NOON.timestamp())


@pytest.mark.parametrize("state", PaymentState)
def test_states_are_told_by_their_names(state: PaymentState) -> None:
    """Both ways."""
    number = payment_pb2.PaymentState.Value(f"PAYMENT_STATE_{state}")

    assert replies.from_state(number) is state


def test_the_contract_has_no_refusal_that_is_never_made() -> None:
    """A reason in the contract is a reason in the domain."""
    names = {
        name.removeprefix("PAYMENT_REFUSAL_REASON_")
        for name in payment_pb2.PaymentRefusalReason.DESCRIPTOR.values_by_name
    }
    assert names - {"UNSPECIFIED"} == {str(reason) for reason in RefusalReason}
