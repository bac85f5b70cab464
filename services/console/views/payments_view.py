"""Payments, and the ledger with its sums."""

from collections import Counter
from collections.abc import Mapping, Sequence

from tradepost.payment.v1.ledger_pb2 import (
    LedgerAccount,
    LedgerEntry,
    LedgerPostingKind,
    LedgerSide,
)
from tradepost.payment.v1.payment_pb2 import Payment, PaymentState
from tradepost.payment.v1.payment_service_pb2 import ListLedgerEntriesRequest, ListPaymentsRequest

from services.console.views.query_values import QueryValues, words_of
from services.console.views.table import (
    Cell,
    FilterField,
    Row,
    Table,
    Tone,
    link_to,
    next_query,
    number,
    options_of,
    when,
)
from services.console.wire.texts import amount_text, enum_word, instant, money_text

PAGE_SIZE = 50
_STATE = "PAYMENT_STATE_"
_PAYMENTS = (
    *("Payment", "Order", "Customer", "State", "Amount", "Captured", "Refunded", "Changed"),
)
_ENTRIES = ("No.", "Payment", "Kind", "Account", "Debit", "Credit", "Who", "Reason", "When")
_SUMS = ("Account", "Debit", "Credit", "Balance")


def payments_filter(query: Mapping[str, str]) -> tuple[FilterField, ...]:
    """The fields of the filter, filled with the query."""
    states = options_of(words_of(PaymentState, _STATE))
    return (
        FilterField("order", "Order id", query.get("order", "")),
        FilterField("state", "State", query.get("state", ""), states),
        FilterField("payment", "Ledger of payment", query.get("payment", "")),
    )


def payments_request(values: QueryValues) -> ListPaymentsRequest:
    """The payments that the query asks for."""
    state = values.state("state", PaymentState, _STATE)
    return ListPaymentsRequest(
        order_id=values.text("order"),
        states=[PaymentState.ValueType(state)] if state else [],
        page_size=PAGE_SIZE,
        page_token=values.query.get("page", ""),
    )


def ledger_request(values: QueryValues) -> ListLedgerEntriesRequest:
    """The entries of the payment in the query; of all if it names none."""
    return ListLedgerEntriesRequest(
        payment_id=values.text("payment"),
        page_size=PAGE_SIZE,
        page_token=values.query.get("entry", ""),
    )


def payments_table(payments: Sequence[Payment], query: Mapping[str, str], token: str) -> Table:
    """Payments, the oldest first."""
    rows = tuple(map(_payment, payments))
    caption = "Payments, the oldest first"
    return Table(caption, _PAYMENTS, rows, next_query=next_query(query, token))


def ledger_table(entries: Sequence[LedgerEntry], query: Mapping[str, str], token: str) -> Table:
    """Entries in the order in which they were posted."""
    following = next_query(query, token, name="entry")
    rows = tuple(map(_entry, entries))
    return Table("Ledger, the oldest entry first", _ENTRIES, rows, next_query=following)


def sums_table(entries: Sequence[LedgerEntry]) -> Table:
    """The sums of the entries on the page, by account and currency."""
    debits: Counter[tuple[int, str]] = Counter()
    credits: Counter[tuple[int, str]] = Counter()
    for entry in entries:
        key = (entry.account, entry.amount.currency_code)
        side = debits if entry.side == LedgerSide.LEDGER_SIDE_DEBIT else credits
        side[key] += entry.amount.minor_units
    rows = [
        _sum(enum_word(LedgerAccount, account, "LEDGER_ACCOUNT_"), code, debits[key], credits[key])
        for key in sorted({*debits, *credits})
        for account, code in (key,)
    ]
    for code in sorted({code for _, code in {*debits, *credits}}):
        paid_in = sum(amount for (_, one), amount in debits.items() if one == code)
        paid_out = sum(amount for (_, one), amount in credits.items() if one == code)
        rows.append(_sum("all accounts", code, paid_in, paid_out, has_to_be_zero=True))
    return Table("Sums of the entries below", _SUMS, tuple(rows))


def _sum(account: str, code: str, debit: int, credit: int, *, has_to_be_zero: bool = False) -> Row:
    tone: Tone = ""
    if has_to_be_zero:
        tone = "good" if debit == credit else "warn"
    return Row(
        (
            Cell(account),
            Cell(amount_text(debit, code), is_number=True),
            Cell(amount_text(credit, code), is_number=True),
            Cell(amount_text(debit - credit, code), tone=tone, is_number=True),
        )
    )


def _payment(one: Payment) -> Row:
    word = enum_word(PaymentState, one.state, _STATE)
    tone: Tone = "good" if word == "CAPTURED" else "warn" if word.endswith("ING") else ""
    return Row(
        (
            Cell(
                one.payment_id, link=link_to("payments", order=one.order_id, payment=one.payment_id)
            ),
            Cell(one.order_id, link=f"orders/{one.order_id}"),
            Cell(one.customer_id),
            Cell(word, tone=tone),
            Cell(money_text(one.amount), is_number=True),
            Cell(money_text(one.captured_amount), is_number=True),
            Cell(money_text(one.refunded_amount), is_number=True),
            when(instant(one.update_time)),
        ),
        key=one.payment_id,
    )


def _entry(one: LedgerEntry) -> Row:
    amount = Cell(money_text(one.amount), is_number=True)
    is_debit = one.side == LedgerSide.LEDGER_SIDE_DEBIT
    return Row(
        (
            number(one.sequence),
            Cell(one.payment_id, link=link_to("payments", payment=one.payment_id)),
            Cell(enum_word(LedgerPostingKind, one.kind, "LEDGER_POSTING_KIND_")),
            Cell(enum_word(LedgerAccount, one.account, "LEDGER_ACCOUNT_")),
            amount if is_debit else Cell(""),
            Cell("") if is_debit else amount,
            Cell(one.requester),
            Cell(one.reason),
            when(instant(one.occur_time)),
        )
    )
