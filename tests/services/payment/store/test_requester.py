"""A refund tells who asked for it and why: in its events, its payment and the ledger."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Connection
from tradepost.payment.v1 import payment_event_pb2 as event_pb

from services.chassis.identity import caller
from services.chassis.identity.caller import UNKNOWN, Caller
from services.chassis.log.event_log import EventLog
from services.payment.domain.queries import LedgerFilter
from services.payment.domain.state import Payment
from services.payment.parts import Parts
from services.payment.store import payment_rows
from services.payment.store.ledger_entries import list_entries
from tests.support.payment import payment_requests
from tests.support.payment.payment_instances import CLOCK, IDS, ask, instance
from tests.support.payment.scripted_processor import MemoryProcessor
from tests.support.store.databases import Databases

LOG = EventLog(clock=CLOCK, ids=IDS)
ORDER = Caller(service="order")
OLGA = Caller(subject="olga", roles=frozenset({"OPERATOR"}))


async def captured(parts: Parts) -> str:
    """The id of a payment that the order service had captured."""
    caller.bind(ORDER)
    payment = (await ask(parts, payment_requests.authorize())).payment
    return (await ask(parts, payment_requests.capture(payment.payment_id))).payment.payment_id


async def refunds_in_the_ledger(parts: Parts, payment_id: str) -> Sequence[tuple[str, str]]:
    """Requester and reason of each side of each refund."""
    entries = await parts.database.read(list_entries, LedgerFilter(1000, payment_id, 0))
    return [(entry.requester, entry.reason) for entry in entries if entry.kind == "REFUNDED"]


async def test_a_persons_refund_tells_who_and_why(databases: Databases) -> None:
    """The service records the outcome, and still everything names the person who asked."""
    caller.bind(Caller(service="payment"))
    async with instance(databases, MemoryProcessor()) as parts:
        payment_id = await captured(parts)
        caller.bind(OLGA)
        answer = await ask(parts, payment_requests.refund(payment_id, 100, reason="late delivery"))
        events = await parts.database.read(LOG.read_stream, payment_id)

        assert [event.actor for event in events] == [
            "service:order",
            "service:payment",
            "service:order",
            "service:payment",
            "person:olga",
            "service:payment",
        ]
        requested = event_pb.RefundRequested.FromString(events[-2].payload)
        succeeded = event_pb.RefundSucceeded.FromString(events[-1].payload)
        assert requested.reason == "late delivery"
        assert (succeeded.requester, succeeded.reason) == ("person:olga", "late delivery")
        (refund,) = answer.payment.refunds
        # The row of a payment is read with every page of payments, so it keeps no long texts.
        assert (refund.requester, refund.reason) == ("person:olga", "")
        ledger = await refunds_in_the_ledger(parts, payment_id)
        assert ledger == [("person:olga", "late delivery")] * 2


async def test_a_sagas_refund_names_the_service(databases: Databases) -> None:
    """What a saga refunds is asked for by its service; its own events tell why."""
    async with instance(databases, MemoryProcessor()) as parts:
        payment_id = await captured(parts)
        answer = await ask(parts, payment_requests.refund(payment_id, 100))

        (refund,) = answer.payment.refunds
        assert (refund.requester, refund.reason) == ("service:order", "")
        assert await refunds_in_the_ledger(parts, payment_id) == [("service:order", "")] * 2


async def test_a_refund_of_an_unknown_caller_is_stored_as_before(databases: Databases) -> None:
    """In open mode an instance of the release before reads what this one writes."""
    async with instance(databases, MemoryProcessor()) as parts:
        payment_id = await captured(parts)
        caller.bind(UNKNOWN)
        await ask(parts, payment_requests.refund(payment_id, 100))
        payment = await parts.database.read(_loaded, payment_id)

    (refund,) = payment.refunds
    assert (refund.requester, refund.reason) == ("", "")
    assert len(payment_rows.refund_values(refund)) == 6


def _loaded(connection: Connection, payment_id: str) -> Payment:
    payment = payment_rows.load(connection, payment_id)
    assert payment is not None
    return payment


@pytest.mark.parametrize(
    "void", ["payment_id", "authorize_request_id"], ids=["a payment", "an unknown authorize"]
)
async def test_a_void_tells_who_and_why(databases: Databases, void: str) -> None:
    """Whoever voids is named by the event, also where the void comes before its authorize."""
    async with instance(databases, MemoryProcessor()) as parts:
        caller.bind(ORDER)
        if void == "payment_id":
            payment = (await ask(parts, payment_requests.authorize())).payment
            request = payment_requests.void(payment.payment_id)
        else:
            request = payment_requests.void_unseen(
                payment_requests.new_request_id(), payment_requests.new_order_id()
            )
        request.reason = "wrong card"
        caller.bind(OLGA)
        voided = (await ask(parts, request)).payment
        events = await parts.database.read(LOG.read_stream, voided.payment_id)

    (asked,) = [event for event in events if event.actor == "person:olga"]
    kind = event_pb.VoidRequested if void == "payment_id" else event_pb.PaymentVoided
    assert kind.FromString(asked.payload).reason == "wrong card"
