"""Lists of payments and of ledger entries, a page at a time, in an order that never changes."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Row, Select, and_, or_, select

from services.chassis.domain.money import Money
from services.chassis.store.micros import from_micros, to_micros
from services.payment.domain.ledger import Account, LedgerEntry, PostingKind, Side
from services.payment.domain.state import Payment, PaymentState
from services.payment.store.payment_rows import to_payment
from services.payment.store.tables import LEDGER_ENTRY, PAYMENT
from services.payment.wire.requests import Page

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """One page, and the token of the next; "" on the last."""

    items: tuple[T, ...]
    next_page_token: str


def list_payments(
    connection: Connection, order_id: str, states: Collection[PaymentState], page: Page
) -> Found[Payment]:
    """The oldest first; "" and no states mean all."""
    query = select(PAYMENT).order_by(PAYMENT.c.create_time, PAYMENT.c.payment_id)
    if order_id:
        query = query.where(PAYMENT.c.order_id == order_id)
    if states:
        query = query.where(PAYMENT.c.state.in_([str(state) for state in sorted(states)]))
    if page.after is not None:
        create_time, payment_id = page.after
        query = query.where(
            or_(
                PAYMENT.c.create_time > create_time,
                and_(PAYMENT.c.create_time == create_time, PAYMENT.c.payment_id > payment_id),
            )
        )
    rows, more = _rows(connection, query, page)
    payments = tuple(to_payment(row) for row in rows)
    if not more:
        return Found(payments, "")
    last = payments[-1]
    return Found(payments, page.token(to_micros(last.create_time), last.payment_id))


def list_entries(connection: Connection, payment_id: str, page: Page) -> Found[LedgerEntry]:
    """In the order in which they were written; "" means those of all payments."""
    query = select(LEDGER_ENTRY).order_by(LEDGER_ENTRY.c.sequence)
    if payment_id:
        query = query.where(LEDGER_ENTRY.c.payment_id == payment_id)
    if page.after is not None:
        query = query.where(LEDGER_ENTRY.c.sequence > page.after[0])
    rows, more = _rows(connection, query, page)
    entries = tuple(_to_entry(row) for row in rows)
    return Found(entries, page.token(entries[-1].sequence, "") if more else "")


def _rows(connection: Connection, query: Select[Any], page: Page) -> tuple[list[Row[Any]], bool]:
    """The rows of the page, and whether there are more."""
    rows = list(connection.execute(query.limit(page.size + 1)))
    return rows[: page.size], len(rows) > page.size


def _to_entry(row: Row[Any]) -> LedgerEntry:
    return LedgerEntry(
        sequence=row.sequence,
        posting_id=row.posting_id,
        payment_id=row.payment_id,
        order_id=row.order_id,
        kind=PostingKind(row.kind),
        request_id=row.request_id,
        account=Account(row.account),
        side=Side(row.side),
        amount=Money(row.currency_code, row.amount_minor),
        occur_time=from_micros(row.occur_time),
    )
