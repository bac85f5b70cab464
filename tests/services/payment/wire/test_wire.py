"""Payments and their events as messages."""

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

COMMAND_SEQUENCES = (
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


def messages(*given: commands.Command) -> dict[str, Message]:
    """The messages of the events that commands lead to, by short name."""
    facts = (to_message(event) for event in PaymentInMemory(*given).events)
    return {fact.DESCRIPTOR.name: fact for fact in facts}


def test_every_event_of_the_contract_can_be_written() -> None:
    """Every event of the contract is written, under its full name and with its payment."""
    written = {name for sequence in COMMAND_SEQUENCES for name in messages(*sequence)}
    contract = payment_event_pb2.DESCRIPTOR.message_types_by_name

    assert written == set(contract)
    for sequence in COMMAND_SEQUENCES:
        for event in PaymentInMemory(*sequence).events:
            stored = to_new_event(event)
            assert stored.type.startswith("tradepost.payment.v1.")
            name = stored.type.rpartition(".")[2]
            read = getattr(payment_event_pb2, name).FromString(stored.payload)
            assert read.payment_id == PAYMENT
            assert getattr(read, "order_id", ORDER) == ORDER


def test_events_of_calls_are_orchestrated() -> None:
    """Events of requests by RPC have the origin ORCHESTRATED, on which handlers do not act."""
    facts = messages(authorize(), AUTHORIZED, capture(), commands.Captured())

    assert facts
    for fact in facts.values():
        assert getattr(fact, "origin", None) == payment_event_pb2.PAYMENT_ORIGIN_ORCHESTRATED


def test_a_tombstone_says_that_it_is_one() -> None:
    """A tombstone is marked; the void of an authorized payment is not."""
    (tombstone,) = messages(void_unseen()).values()
    voided = messages(authorize(), AUTHORIZED, void(), commands.Voided())["PaymentVoided"]

    assert isinstance(tombstone, payment_event_pb2.PaymentVoided)
    assert tombstone.tombstone
    assert tombstone.authorize_request_id == "authorize_1"
    assert isinstance(voided, payment_event_pb2.PaymentVoided)
    assert not voided.tombstone


def test_a_tombstone_has_no_amounts() -> None:
    """A tombstone has no amounts, because its void names none."""
    message = replies.to_payment(PaymentInMemory(void_unseen()).payment)

    for field in ("amount", "captured_amount", "refunded_amount", "refund_pending_amount"):
        assert not message.HasField(field)
    assert message.refusal.reason == payment_pb2.PAYMENT_REFUSAL_REASON_AUTHORIZATION_FENCED


def test_refunded_and_pending_amounts_are_separate() -> None:
    """Refunded and pending amounts are separate fields."""
    payment = PaymentInMemory(*COMMAND_SEQUENCES[3], refund(300, "refund_2")).payment
    message = replies.to_payment(payment)

    assert message.captured_amount.minor_units == 1000
    assert message.refunded_amount.minor_units == 1
    assert message.refund_pending_amount.minor_units == 300
    assert message.amount.currency_code == message.refunded_amount.currency_code == "USD"


def test_instants_have_microseconds() -> None:
    """Instants have microseconds."""
    instant = NOON.replace(microsecond=123456)

    assert to_timestamp(instant).ToNanoseconds() % 1_000_000_000 == 123_456_000
    assert to_timestamp(instant).seconds == int(NOON.timestamp())


@pytest.mark.parametrize("state", PaymentState)
def test_states_are_converted_by_name(state: PaymentState) -> None:
    """States are converted by name in both directions."""
    number = payment_pb2.PaymentState.Value(f"PAYMENT_STATE_{state}")

    assert replies.from_state(number) is state


def test_the_contract_has_no_refusal_that_is_never_made() -> None:
    """The contract has the reasons of the domain, and no others."""
    names = {
        name.removeprefix("PAYMENT_REFUSAL_REASON_")
        for name in payment_pb2.PaymentRefusalReason.DESCRIPTOR.values_by_name
    }
    assert names - {"UNSPECIFIED"} == {str(reason) for reason in RefusalReason}
