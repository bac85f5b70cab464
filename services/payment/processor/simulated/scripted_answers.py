"""The effects of calls to the simulated processor: one write function for each method.

A call first looks for the entry of its key and returns its answer. If the authorization has already
ended, the entry that ended it is the answer.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from sqlalchemy import Connection

from services.chassis.domain.money import Money
from services.payment.domain.commands import (
    Authorized,
    Captured,
    Declined,
    Evidence,
    Expired,
    NotCaptured,
    Refunded,
    RefundRefused,
    Voided,
)
from services.payment.domain.state import NO_MONEY, DeclineCode
from services.payment.processor.port import ProcessorContradictionError
from services.payment.processor.simulated import entry_table
from services.payment.processor.simulated.entry_table import EntryKind, ProcessorEntry

SLOW = "pm_slow"
UNAVAILABLE_BEFORE = "pm_unavailable_before"
UNAVAILABLE_AFTER = "pm_unavailable_after"
EXPIRING = "pm_expiring"
CAPTURE_DECLINED = "pm_capture_declined"
REFUND_DECLINED = "pm_refund_declined"
APPROVED = frozenset(
    {
        "pm_visa",
        "pm_mastercard",
        SLOW,
        UNAVAILABLE_BEFORE,
        UNAVAILABLE_AFTER,
        EXPIRING,
        CAPTURE_DECLINED,
        REFUND_DECLINED,
    }
)
DECLINED = MappingProxyType(
    {
        "pm_insufficient_funds": DeclineCode.INSUFFICIENT_FUNDS,
        "pm_expired_card": DeclineCode.EXPIRED_CARD,
        "pm_lost_card": DeclineCode.LOST_OR_STOLEN,
        "pm_fraud": DeclineCode.SUSPECTED_FRAUD,
        "pm_do_not_honor": DeclineCode.DO_NOT_HONOR,
    }
)
FAILURES_BEFORE = 2
FAILURES_AFTER = 1
EXPIRING_AFTER = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class KeyedCall:
    """A call: its key, its amount, and when it came."""

    key: str
    amount: Money
    now: datetime


@dataclass(frozen=True, slots=True)
class CommittedAnswer:
    """A committed answer; None where the script loses it or prevents the effect."""

    evidence: Evidence | None


def authorize(
    connection: Connection,
    call: KeyedCall,
    order_id: str,
    payment_method: str,
    expire_after: timedelta,
) -> CommittedAnswer:
    """Set money aside, or decline; Voided if the key is fenced."""
    fails, is_lost = _script(connection, "authorize", call, payment_method)
    if fails:
        return CommittedAnswer(None)
    entry = entry_table.find(connection, "authorize", call.key)
    if entry is None:
        lifetime = EXPIRING_AFTER if payment_method == EXPIRING else expire_after
        approves = payment_method in APPROVED
        entry = entry_table.write(
            connection,
            ProcessorEntry(
                method="authorize",
                key=call.key,
                kind=EntryKind.AUTHORIZED if approves else EntryKind.DECLINED,
                authorization_reference=f"sim_{call.key}",
                order_id=order_id,
                payment_method=payment_method,
                amount=call.amount,
                occur_time=call.now,
                expire_time=call.now + lifetime,
                code="" if approves else _decline_code(payment_method).value,
            ),
        )
    return CommittedAnswer(None if is_lost else _evidence(entry))


def capture(
    connection: Connection, call: KeyedCall, authorization_reference: str
) -> CommittedAnswer:
    """Capture what is set aside."""
    history = _history(connection, authorization_reference, call.amount)
    fails, is_lost = _script(connection, "capture", call, history[0].payment_method)
    if fails:
        return CommittedAnswer(None)
    entry = _answered("capture", call, history) or _ended(history)
    if entry is None or (entry.kind is EntryKind.CAPTURED and entry.key != call.key):
        entry = entry_table.write(connection, _capture(call, history))
    return CommittedAnswer(None if is_lost else _evidence(entry))


def void(connection: Connection, call: KeyedCall, authorize_key: str) -> CommittedAnswer:
    """Release what is set aside, or fence the authorize that never came."""
    authorized = entry_table.find(connection, "authorize", authorize_key)
    if authorized is None:
        entry_table.write(connection, _fence(call, authorize_key))
        return CommittedAnswer(Voided())
    if authorized.kind is not EntryKind.AUTHORIZED:
        return CommittedAnswer(Voided())
    fails, is_lost = _script(connection, "void", call, authorized.payment_method)
    if fails:
        return CommittedAnswer(None)
    history = entry_table.history(connection, authorized.authorization_reference)
    entry = _answered("void", call, history) or _ended(history)
    if entry is None:
        kind = EntryKind.EXPIRED if call.now >= authorized.expire_time else EntryKind.VOIDED
        entry = entry_table.write(connection, _next(authorized, "void", call, kind))
    if entry.kind is EntryKind.CAPTURED:
        raise ProcessorContradictionError(f"{authorized.authorization_reference} was captured")
    return CommittedAnswer(None if is_lost else _evidence(entry))


def refund(
    connection: Connection, call: KeyedCall, authorization_reference: str
) -> CommittedAnswer:
    """Refund all or part of what was captured."""
    history = _history(connection, authorization_reference, None)
    fails, is_lost = _script(connection, "refund", call, history[0].payment_method)
    if fails:
        return CommittedAnswer(None)
    entry = _answered("refund", call, history)
    if entry is None:
        entry = entry_table.write(connection, _refund(call, history))
    return CommittedAnswer(None if is_lost else _evidence(entry))


def _decline_code(payment_method: str) -> DeclineCode:
    return DECLINED.get(payment_method, DeclineCode.UNKNOWN_METHOD)


def _script(
    connection: Connection, method: str, call: KeyedCall, payment_method: str
) -> tuple[bool, bool]:
    """Whether this call fails before its effect, and whether its answer is lost."""
    if payment_method not in (UNAVAILABLE_BEFORE, UNAVAILABLE_AFTER):
        return False, False
    calls = entry_table.count_call(connection, method, call.key)
    return (
        payment_method == UNAVAILABLE_BEFORE and calls <= FAILURES_BEFORE,
        payment_method == UNAVAILABLE_AFTER and calls <= FAILURES_AFTER,
    )


def _history(
    connection: Connection, authorization_reference: str, amount: Money | None
) -> tuple[ProcessorEntry, ...]:
    """The entries of a known authorization of that amount.

    Raises ProcessorContradictionError if there is none.
    """
    history = entry_table.history(connection, authorization_reference)
    if not history or history[0].kind is not EntryKind.AUTHORIZED:
        raise ProcessorContradictionError(f"{authorization_reference} is not known")
    if amount not in (None, history[0].amount):
        raise ProcessorContradictionError(f"{authorization_reference} is about another amount")
    return history


def _answered(
    method: str, call: KeyedCall, history: tuple[ProcessorEntry, ...]
) -> ProcessorEntry | None:
    own = (entry for entry in history if entry.method == method and entry.key == call.key)
    return next(own, None)


def _ended(history: tuple[ProcessorEntry, ...]) -> ProcessorEntry | None:
    """The entry that ended the authorization; None if money is still set aside."""
    over = {EntryKind.CAPTURED, EntryKind.VOIDED, EntryKind.EXPIRED}
    return next((entry for entry in history if entry.kind in over), None)


def _capture(call: KeyedCall, history: tuple[ProcessorEntry, ...]) -> ProcessorEntry:
    authorized = history[0]
    if _ended(history) is not None:
        return _next(
            authorized, "capture", call, EntryKind.CAPTURE_REFUSED, code="already_captured"
        )
    if call.now >= authorized.expire_time:
        return _next(authorized, "capture", call, EntryKind.EXPIRED)
    if authorized.payment_method == CAPTURE_DECLINED:
        return _next(
            authorized, "capture", call, EntryKind.CAPTURE_REFUSED, code="capture_declined"
        )
    return _next(authorized, "capture", call, EntryKind.CAPTURED)


def _refund(call: KeyedCall, history: tuple[ProcessorEntry, ...]) -> ProcessorEntry:
    refunded = sum(each.amount.minor_units for each in history if each.kind is EntryKind.REFUNDED)
    captured = any(each.kind is EntryKind.CAPTURED for each in history)
    authorized = history[0]
    code = ""
    if authorized.payment_method == REFUND_DECLINED:
        code = "refund_declined"
    elif not captured or refunded + call.amount.minor_units > authorized.amount.minor_units:
        code = "exceeds_captured"
    kind = EntryKind.REFUND_REFUSED if code else EntryKind.REFUNDED
    return replace(_next(authorized, "refund", call, kind, code=code), amount=call.amount)


def _next(
    authorized: ProcessorEntry, method: str, call: KeyedCall, kind: EntryKind, *, code: str = ""
) -> ProcessorEntry:
    return replace(
        authorized, method=method, key=call.key, kind=kind, code=code, occur_time=call.now
    )


def _fence(call: KeyedCall, authorize_key: str) -> ProcessorEntry:
    return ProcessorEntry(
        method="authorize",
        key=authorize_key,
        kind=EntryKind.FENCED,
        authorization_reference="",
        order_id="",
        payment_method="",
        amount=NO_MONEY,
        occur_time=call.now,
        expire_time=call.now,
    )


def _evidence(entry: ProcessorEntry) -> Evidence:
    match entry.kind:
        case EntryKind.AUTHORIZED:
            return Authorized(entry.authorization_reference, entry.expire_time)
        case EntryKind.DECLINED:
            return Declined(DeclineCode(entry.code))
        case EntryKind.FENCED | EntryKind.VOIDED:
            return Voided()
        case EntryKind.CAPTURED:
            return Captured()
        case EntryKind.CAPTURE_REFUSED:
            return NotCaptured(entry.code)
        case EntryKind.EXPIRED:
            return Expired()
        case EntryKind.REFUNDED:
            return Refunded(entry.key)
        case EntryKind.REFUND_REFUSED:
            return RefundRefused(entry.key, entry.code)
