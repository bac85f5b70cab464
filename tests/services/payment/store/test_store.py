"""Rows of payments and of the ledger, and the constraints of the database."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial

import pytest
import pytest_asyncio
from sqlalchemy import Connection, text

from services.chassis.request.errors import RequestIdReusedError
from services.chassis.store.database import Database
from services.chassis.store.micros import to_micros
from services.chassis.store.prepared import Prepared
from services.chassis.work.lease import StaleLeaseError
from services.payment.domain import commands
from services.payment.domain.errors import PaymentAlreadyExistsError
from services.payment.domain.ledger import postings
from services.payment.domain.processor_calls import next_call
from services.payment.domain.queries import LedgerFilter, PaymentFilter
from services.payment.domain.state import DeclineCode, Payment, PaymentState
from services.payment.parts import Parts
from services.payment.store import payment_rows
from services.payment.store.ledger_entries import list_entries
from services.payment.store.payment_listing import list_payments
from services.payment.store.payment_writes import load
from services.payment.store.tables import MIGRATIONS
from tests.support.payment import payment_requests
from tests.support.payment.payment_in_memory import (
    AUTHORIZED,
    PaymentInMemory,
    authorize,
    capture,
    refund,
    void,
    void_unseen,
)
from tests.support.payment.payment_instances import ask, instance, to_intention
from tests.support.payment.scripted_processor import MemoryProcessor
from tests.support.store.databases import CONSTRAINT_VIOLATION, Databases, opened_database

CAPTURED = (authorize(), AUTHORIZED, capture(), commands.Captured())
AGAIN = (
    "INSERT INTO ledger_entry SELECT sequence + 100, posting_id, payment_id, order_id, kind,"
    " {request_id}, account, side, currency_code, amount_minor, occur_time, requester, reason"
    " FROM ledger_entry"
)


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    """An empty database."""
    async with opened_database(databases, MIGRATIONS) as database:
        yield database


@pytest_asyncio.fixture
async def running(databases: Databases) -> AsyncIterator[Parts]:
    """A running instance with a processor in memory."""
    async with instance(databases, MemoryProcessor()) as parts:
        yield parts


def _save(connection: Connection, payment: Payment) -> None:
    payment_rows.save(connection, payment)


@pytest.mark.parametrize(
    "given",
    [
        (authorize(),),
        (authorize(), commands.Declined(DeclineCode.DO_NOT_HONOR)),
        (authorize(), AUTHORIZED, capture(), void()),
        (authorize(), AUTHORIZED, capture(), commands.NotCaptured("no"), capture("capture_2")),
        (*CAPTURED, refund(100), refund(200, "refund_2"), commands.RefundRefused("refund_1", "no")),
        (void_unseen(),),
    ],
)
async def test_a_payment_is_read_as_it_was_written(
    database: Database, given: Sequence[commands.Command]
) -> None:
    """A payment is read with every field as it was written."""
    payment = PaymentInMemory(*given).payment
    await database.write(_save, payment)

    assert await database.read(load, payment.payment_id) == payment


async def test_the_database_keeps_a_second_live_payment_of_an_order_out(database: Database) -> None:
    """The unique index refuses a second live payment of an order, and allows ended ones."""
    dead = PaymentInMemory(authorize(), commands.Declined(DeclineCode.DO_NOT_HONOR)).payment
    live = [
        PaymentInMemory(replace(authorize(name), payment_id=name)).payment
        for name in ("authorize_2", "authorize_3")
    ]
    await database.write(_save, dead)
    await database.write(_save, live[0])

    with pytest.raises(CONSTRAINT_VIOLATION):
        await database.write(_save, live[1])


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE payment SET refunded_minor = captured_minor + 1",
        "UPDATE payment SET captured_minor = amount_minor - 1",
        "UPDATE payment SET refund_pending_minor = -1",
        "UPDATE ledger_entry SET amount_minor = 0",
        AGAIN.format(request_id="request_id"),
        AGAIN.format(request_id="'another'") + " WHERE kind = 'CAPTURED'",
    ],
)
async def test_the_database_keeps_the_books(running: Parts, harm: str) -> None:
    """Constraints refuse excessive refunds, partial captures and duplicates."""
    payment = (await ask(running, payment_requests.authorize())).payment
    await ask(running, payment_requests.capture(payment.payment_id))

    def do_harm(connection: Connection) -> None:
        Prepared(text(harm)).change(connection)

    with pytest.raises(CONSTRAINT_VIOLATION):
        await running.database.write(do_harm)


async def test_the_stream_and_the_ledger_agree_with_the_row(running: Parts) -> None:
    """The stream has one event per version, and the ledger has the postings of the events."""
    payment = (await ask(running, payment_requests.authorize())).payment
    await ask(running, payment_requests.capture(payment.payment_id))
    refunded = (await ask(running, payment_requests.refund(payment.payment_id, 500))).payment
    types = await running.database.read(_types, payment.payment_id)
    entries = await running.database.read(list_entries, LedgerFilter(1000, payment.payment_id, 0))

    assert types == [
        "AuthorizationRequested",
        "PaymentAuthorized",
        "CaptureStarted",
        "PaymentCaptured",
        "RefundRequested",
        "RefundSucceeded",
    ]
    assert refunded.version == len(types)
    assert [entry.kind for entry in entries[::2]] == [
        "AUTHORIZED",
        "AUTHORIZATION_REVERSED",
        "CAPTURED",
        "REFUNDED",
    ]
    assert len({entry.posting_id for entry in entries}) == 4


def _types(connection: Connection, stream: str) -> list[str]:
    statement = text("SELECT type FROM event WHERE stream = :stream ORDER BY version")
    return [
        row.type.rpartition(".")[2] for row in connection.execute(statement, {"stream": stream})
    ]


async def test_the_payment_method_stays_out_of_the_log(running: Parts) -> None:
    """Events do not contain the payment method."""
    request = payment_requests.authorize("pm_canary")
    await ask(running, request)

    def payloads(connection: Connection) -> bytes:
        return b"".join(row.payload for row in connection.execute(text("SELECT * FROM event")))

    stored = await running.database.read(payloads)
    assert request.order_id.encode() in stored
    assert b"pm_canary" not in stored


async def test_an_error_stores_nothing(running: Parts) -> None:
    """A request that fails stores nothing, not even its request_id."""
    first = (await ask(running, payment_requests.authorize())).payment
    second = payment_requests.authorize(order_id=first.order_id)
    with pytest.raises(PaymentAlreadyExistsError):
        await ask(running, second)
    await ask(running, payment_requests.void(first.payment_id))

    assert (await ask(running, second)).payment.state is PaymentState.AUTHORIZED


async def test_a_request_id_belongs_to_its_method(running: Parts) -> None:
    """Two methods may use the same request_id, each for one request."""
    request_id = payment_requests.new_request_id()
    payment = (await ask(running, payment_requests.authorize(request_id=request_id))).payment
    captured = await ask(
        running, payment_requests.capture(payment.payment_id, request_id=request_id)
    )

    assert captured.payment.state is PaymentState.CAPTURED
    with pytest.raises(RequestIdReusedError):
        await ask(
            running,
            payment_requests.capture(payment_requests.new_payment_id(), request_id=request_id),
        )


async def test_an_answer_without_the_lease_is_not_written(running: Parts) -> None:
    """An answer without the lease raises StaleLeaseError and is rolled back."""
    await running.driver.drain()
    carry_out = partial(running.store.carry_out, leased=True)
    outcome = await running.database.write(carry_out, to_intention(payment_requests.authorize()))
    payment, claim = outcome.payment, outcome.claim
    assert claim is not None
    call = next_call(payment)
    assert call is not None
    await running.database.write(running.leases.open, payment.payment_id, "payment")

    with pytest.raises(StaleLeaseError):
        await running.database.write(running.store.record, claim, payment, call, AUTHORIZED)
    assert await running.database.read(load, payment.payment_id) == payment


async def test_an_answer_to_an_older_question_is_not_written(running: Parts) -> None:
    """An answer to an earlier call writes nothing."""
    await running.driver.drain()
    carry_out = partial(running.store.carry_out, leased=True)
    outcome = await running.database.write(carry_out, to_intention(payment_requests.authorize()))
    assert outcome.claim is not None
    authorizing = next_call(outcome.payment)
    assert authorizing is not None
    known = outcome.payment
    record = running.store.record
    await running.database.write(record, outcome.claim, known, authorizing, AUTHORIZED)
    capturing = await running.database.write(
        carry_out, to_intention(payment_requests.capture(outcome.payment.payment_id))
    )
    assert capturing.claim is not None
    after = await running.database.write(record, capturing.claim, known, authorizing, AUTHORIZED)

    assert after.state is PaymentState.CAPTURING


async def test_pages_hold_every_payment_once(running: Parts) -> None:
    """Pages list each payment once, even if others are added meanwhile."""
    before = await asyncio.gather(*(ask(running, payment_requests.authorize()) for _ in range(5)))
    seen: list[Payment] = []
    after, has_more = None, True
    while has_more and len(seen) <= 12:
        wanted = PaymentFilter(3, "", frozenset(), after)
        rows = await running.database.read(list_payments, wanted)
        seen += rows[:2]
        has_more = len(rows) > 2
        after = (to_micros(seen[-1].create_time), seen[-1].payment_id)
        await ask(running, payment_requests.authorize())

    ids = [payment.payment_id for payment in seen]
    assert len(ids) == len(set(ids))
    assert {answer.payment.payment_id for answer in before} <= set(ids)
    assert [payment.create_time for payment in seen] == sorted(p.create_time for p in seen)


def test_an_event_that_moves_no_money_posts_nothing() -> None:
    """Postings come with evidence only, never with an call."""
    memory = PaymentInMemory(authorize())
    before = memory.payment
    for command in (AUTHORIZED, capture(), void()):
        happened = memory.apply(command)
        posted = [posting for event in happened for posting in postings(before, event)]
        assert bool(posted) == (command is AUTHORIZED)
        before = memory.payment
