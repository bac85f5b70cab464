"""Writes of payments: a request with its events, or an answer of the processor.

Each is one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.ids import IdFactory
from services.chassis.log.errors import StreamConflictError
from services.chassis.log.event_log import EventLog
from services.chassis.request import ownership, request_ids
from services.chassis.request.errors import RequestIdReusedError
from services.chassis.request.intention import Intention
from services.chassis.request.request_ids import recall, remember
from services.chassis.store.unit.needs import Entry, Needs
from services.chassis.telemetry.correlation import Correlation
from services.chassis.work import lease_table
from services.chassis.work.lease import Claim, Leases
from services.payment.domain import commands
from services.payment.domain.errors import PaymentAlreadyExistsError, PaymentNotFoundError
from services.payment.domain.events import Event
from services.payment.domain.evolution import evolve
from services.payment.domain.ledger import Posting, postings
from services.payment.domain.processor_calls import ProcessorCall, next_call
from services.payment.domain.rules import decide
from services.payment.domain.state import Payment
from services.payment.store import ledger_entries, payment_rows
from services.payment.store.payment_rows import to_payment
from services.payment.wire.events import to_new_event

# The kind of the leases on payments that have to be driven.
LEASE_KIND = "payment"


@dataclass(frozen=True, slots=True)
class WrittenPayment:
    """The payment after a request, and the claim to drive it if this process got one.

    `replayed` says that the request had been carried out before.
    """

    payment: Payment
    replayed: bool
    claim: Claim | None


class PaymentWrites:
    """Functions of a connection, to be passed to `Database.write`."""

    def __init__(self, *, log: EventLog, leases: Leases, clock: Clock, ids: IdFactory) -> None:
        self._log = log
        self._leases = leases
        self._clock = clock
        self._ids = ids

    def needs(self, intention: Intention[commands.Request]) -> Needs:
        """What `carry_out` reads; call it in the caller's context."""
        yield request_ids.need_of(intention.method, intention.request_id)
        command = intention.command
        match command:
            case commands.Authorize():
                yield payment_rows.BY_AUTHORIZE.need(command.request_id)
                yield payment_rows.LIVE_BY_ORDER.need(command.order_id)
            case commands.Void() if command.authorize_request_id:
                by_authorize = payment_rows.BY_AUTHORIZE
                yield by_authorize.need(command.authorize_request_id, then=self._of_found)
        yield from self.needs_of(command.payment_id)

    def needs_of(self, payment_id: str) -> Needs:
        """What `record` and `finish` read."""
        yield payment_rows.PAYMENTS.need(payment_id)
        yield lease_table.need_of(payment_id)
        yield from self._log.needs(payment_id)

    def _of_found(self, found: Entry) -> Needs:
        """What a write reads of payments that were found by another id."""
        return (need for row in found for need in self.needs_of(to_payment(row).payment_id))

    def carry_out(
        self,
        connection: Connection,
        intention: Intention[commands.Request],
        *,
        leased: bool,
    ) -> WrittenPayment:
        """Write the events of a request, and store its request_id with the payment.

        A pending payment is then leased to this process, unless `leased` is False or another
        process has the lease. Raises what `decide` raises, RequestIdReusedError and
        PaymentAlreadyExistsError.
        """
        known = recall(
            connection,
            method=intention.method,
            request_id=intention.request_id,
            fingerprint=intention.fingerprint,
        )
        now = self._clock.now()
        if known is not None:
            payment = load(connection, known.resource)
            claim = self._claim(connection, payment) if leased else None
            return WrittenPayment(payment, replayed=True, claim=claim)
        before = _find(connection, intention.command)
        events = decide(intention.command, before, now=now)
        after = self._append(connection, before, events)
        remember(
            connection,
            method=intention.method,
            request_id=intention.request_id,
            fingerprint=intention.fingerprint,
            resource=after.payment_id,
            now=now,
        )
        claim = self._lease(connection, before, after, leased=leased)
        return WrittenPayment(after, replayed=False, claim=claim)

    def record(
        self,
        connection: Connection,
        claim: Claim,
        known: Payment,
        call: ProcessorCall,
        evidence: commands.Evidence,
    ) -> Payment:
        """Write the processor's answer to a call; close the lease if nothing is pending any more.

        `known` is the payment that led to the call. If another call is pending by now, the answer
        is outdated and nothing is written. A process that lost the lease finds out when it keeps
        or closes the lease. Raises StaleLeaseError, UnexpectedEvidenceError.
        """
        try:
            after = self._answer(connection, known, call, evidence)
        except StreamConflictError:
            # A request was written in between. Writers are serial, so the second read is current.
            now = load(connection, claim.subject)
            after = self._answer(connection, now, call, evidence)
        if after is known:
            # Nothing was written, so it is not known whether `known` is still current.
            after = load(connection, claim.subject)
        self._keep_or_close(connection, claim, after)
        return after

    def finish(self, connection: Connection, claim: Claim) -> Payment:
        """Close the lease if nothing is pending. Raises StaleLeaseError."""
        payment = load(connection, claim.subject)
        self._keep_or_close(connection, claim, payment)
        return payment

    def _answer(
        self,
        connection: Connection,
        before: Payment,
        call: ProcessorCall,
        evidence: commands.Evidence,
    ) -> Payment:
        if next_call(before) != call:
            return before
        events = decide(evidence, before, now=self._clock.now())
        return self._append(connection, before, events)

    def correlation(self, connection: Connection, payment: Payment) -> Correlation:
        """The correlation of the payment's newest event, which causes the next one."""
        (newest,) = self._log.read_stream(
            connection, payment.payment_id, after_version=payment.version - 1, limit=1
        )
        return Correlation(newest.correlation_id, newest.event_id, newest.traceparent)

    def _keep_or_close(self, connection: Connection, claim: Claim, payment: Payment) -> None:
        if payment.is_pending:
            self._leases.progress(connection, claim, step=payment.state.value)
        else:
            self._leases.close(connection, claim)

    def _append(
        self, connection: Connection, before: Payment | None, events: Sequence[Event]
    ) -> Payment:
        if before is not None and not events:
            return before
        stored = self._log.append(
            connection,
            events[0].payment_id if before is None else before.payment_id,
            0 if before is None else before.version,
            [to_new_event(event) for event in events],
            not_before=None if before is None else before.update_time,
        )
        after = before
        posted: list[tuple[str, Posting]] = []
        for event, record in zip(events, stored, strict=True):
            posted += [(self._ids.new("pst"), each) for each in postings(after, event)]
            after = evolve(after, event, record.occur_time)
        if after is None:
            raise PaymentNotFoundError
        payment_rows.save(connection, after)
        ledger_entries.append_postings(connection, after, posted)
        return after

    def _lease(
        self, connection: Connection, before: Payment | None, after: Payment, *, leased: bool
    ) -> Claim | None:
        """The claim to drive `after`; None if another process drives it or nothing is pending."""
        if before is None:
            is_due = next_call(after) is not None
        else:
            is_due = after.is_pending and not before.is_pending
        if is_due:
            claim = self._leases.open(connection, after.payment_id, LEASE_KIND, leased=leased)
            return claim if leased else None
        return self._claim(connection, after) if leased else None

    def _claim(self, connection: Connection, payment: Payment) -> Claim | None:
        """The claim to a pending payment that no process drives at the moment."""
        if not payment.is_pending:
            return None
        return self._leases.claim(connection, payment.payment_id)


def load(connection: Connection, payment_id: str) -> Payment:
    """The payment. Raises PaymentNotFoundError."""
    payment = payment_rows.load(connection, payment_id)
    if payment is None:
        raise PaymentNotFoundError(payment_id=payment_id)
    return payment


def load_own(connection: Connection, payment_id: str) -> Payment:
    """The payment for a call. A customer doesn't learn which member of the staff refunded.

    Raises PaymentNotFoundError; to a customer also for somebody else's.
    """
    payment = load(connection, payment_id)
    if ownership.is_hidden(payment.customer_id):
        raise PaymentNotFoundError(payment_id=payment_id)
    if ownership.is_limited():
        refunds = tuple(replace(refund, requester="") for refund in payment.refunds)
        return replace(payment, refunds=refunds)
    return payment


def _find(connection: Connection, command: commands.Request) -> Payment | None:
    match command:
        case commands.Authorize():
            return _find_fence(connection, command)
        case commands.Void():
            return _find_to_void(connection, command)
        case commands.Capture() | commands.Refund() | commands.SettleRefund():
            return payment_rows.load(connection, command.payment_id)


def _find_fence(connection: Connection, command: commands.Authorize) -> Payment | None:
    """The tombstone of a void that came first; None if there is none.

    Raises RequestIdReusedError, PaymentAlreadyExistsError.
    """
    tombstone = payment_rows.load_by_authorize(connection, command.request_id)
    if tombstone is not None:
        if tombstone.order_id != command.order_id:
            raise RequestIdReusedError(method="AuthorizePayment", request_id=command.request_id)
        return tombstone
    live = payment_rows.load_live(connection, command.order_id)
    if live is not None:
        raise PaymentAlreadyExistsError(order_id=command.order_id, payment_id=live.payment_id)
    return None


def _find_to_void(connection: Connection, command: commands.Void) -> Payment | None:
    if command.authorize_request_id:
        named = {"authorize_request_id": command.authorize_request_id}
        payment = payment_rows.load_by_authorize(connection, command.authorize_request_id)
    else:
        named = {"payment_id": command.payment_id}
        payment = payment_rows.load(connection, command.payment_id)
    if payment is not None and command.order_id not in ("", payment.order_id):
        raise PaymentNotFoundError(**named, order_id=command.order_id)
    return payment
