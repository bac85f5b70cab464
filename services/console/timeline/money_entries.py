"""The payments of an order and the postings of its ledger."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from tradepost.payment.v1.ledger_pb2 import (
    LedgerAccount,
    LedgerEntry,
    LedgerPostingKind,
    LedgerSide,
)
from tradepost.payment.v1.payment_pb2 import (
    Payment,
    PaymentRefusalReason,
    PaymentState,
    RefundState,
)

from services.console.timeline.entry import Entry, Source
from services.console.timeline.order_record import OrderRecord
from services.console.wire.facts import Fact
from services.console.wire.texts import enum_word, instant, money_text


def money_entries(record: OrderRecord) -> Iterator[Entry]:
    """The state of each payment, its refunds, and one entry for each posting of the ledger."""
    for payment in record.payments:
        yield _payment(payment)
        yield from _refunds(payment)
    by_posting = sorted(record.ledger, key=lambda one: (one.posting_id, one.sequence))
    for _, posting in groupby(by_posting, key=lambda one: one.posting_id):
        yield _posting(tuple(posting))


def _payment(payment: Payment) -> Entry:
    state = enum_word(PaymentState, payment.state, "PAYMENT_STATE_")
    facts: list[Fact] = [("payment", payment.payment_id), ("amount", money_text(payment.amount))]
    if payment.HasField("refusal"):
        reason = enum_word(PaymentRefusalReason, payment.refusal.reason, "PAYMENT_REFUSAL_REASON_")
        facts.append(("refusal", reason))
    return Entry(
        time=instant(payment.update_time),
        source=Source.MONEY,
        title=f"payment is {state} (version {payment.version})",
        facts=tuple(facts),
    )


def _refunds(payment: Payment) -> Iterator[Entry]:
    for refund in payment.refunds:
        state = enum_word(RefundState, refund.state, "REFUND_STATE_")
        yield Entry(
            time=instant(refund.create_time),
            source=Source.MONEY,
            title=f"refund of {money_text(refund.amount)}: {state}",
            facts=(("refund", refund.refund_id),),
            actor=refund.requester,
            troubled=refund.state == RefundState.REFUND_STATE_FAILED,
        )


def _posting(entries: Sequence[LedgerEntry]) -> Entry:
    """One posting: what it debits and credits."""
    first = entries[0]
    kind = enum_word(LedgerPostingKind, first.kind, "LEDGER_POSTING_KIND_")
    lines = tuple(
        (
            " ".join(
                (
                    enum_word(LedgerSide, one.side, "LEDGER_SIDE_").lower(),
                    enum_word(LedgerAccount, one.account, "LEDGER_ACCOUNT_"),
                )
            ),
            money_text(one.amount),
        )
        for one in entries
    )
    reason = (("reason", first.reason),) if first.reason else ()
    return Entry(
        time=instant(first.occur_time),
        source=Source.MONEY,
        title=f"ledger: {kind} {money_text(first.amount)}",
        facts=(*lines, *reason),
        actor=first.requester,
        place=first.sequence,
    )
