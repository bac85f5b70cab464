"""Entries of the ledger as rows of their table; they are only ever appended."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from services.chassis.domain.money import Money
from services.chassis.store.micros import from_micros, to_micros
from services.chassis.store.unit.appends import Appends
from services.payment.domain.ledger import Account, LedgerEntry, Posting, PostingKind, Side
from services.payment.domain.queries import LedgerFilter
from services.payment.domain.state import Payment
from services.payment.store.tables import LEDGER_ENTRY

_ENTRIES = Appends(LEDGER_ENTRY, numbered=("sequence",))


def append_postings(
    connection: Connection,
    payment: Payment,
    postings: Sequence[tuple[str, Posting]],
) -> None:
    """Append two entries for each posting of the payment's last change.

    `postings` are pairs of a posting's id and the posting.
    """
    sides = [
        (posting_id, posting, side, account)
        for posting_id, posting in postings
        for side, account in ((Side.DEBIT, posting.debit), (Side.CREDIT, posting.credit))
    ]
    entries = [
        {
            "posting_id": posting_id,
            "payment_id": payment.payment_id,
            "order_id": payment.order_id,
            "kind": posting.kind.value,
            "request_id": posting.request_id,
            "account": account.value,
            "side": side.value,
            "currency_code": posting.amount.currency_code,
            "amount_minor": posting.amount.minor_units,
            "occur_time": to_micros(payment.update_time),
            "requester": posting.requester,
            "reason": posting.reason,
        }
        for posting_id, posting, side, account in sides
    ]
    _ENTRIES.add(connection, entries)


def list_entries(connection: Connection, wanted: LedgerFilter) -> tuple[LedgerEntry, ...]:
    """The entries that the filter selects, in the order in which they were written."""
    query = (
        select(LEDGER_ENTRY)
        .where(LEDGER_ENTRY.c.sequence > wanted.after_sequence)
        .order_by(LEDGER_ENTRY.c.sequence)
        .limit(wanted.limit)
    )
    if wanted.payment_id:
        query = query.where(LEDGER_ENTRY.c.payment_id == wanted.payment_id)
    return tuple(_to_entry(row) for row in connection.execute(query))


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
        requester=row.requester,
        reason=row.reason,
    )
