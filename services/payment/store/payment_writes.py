"""What is written in one transaction: a request with its facts, or the answer of the processor."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.ids import IdFactory
from services.chassis.log.errors import StreamConflictError
from services.chassis.log.event_log import EventLog
from services.chassis.request.errors import RequestIdReusedError
from services.chassis.request.intention import Intention
from services.chassis.request.request_ids import recall, remember
from services.chassis.telemetry.correlation import Correlation
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
from services.payment.wire.events import to_new_event

# The kind of this service's leases: a payment that somebody has to drive.
LEASE_KIND = "payment"


@dataclass(frozen=True, slots=True)
class WrittenPayment:
    """The payment as it stands after a request, and the claim to drive it where it was to be had.

    `replayed` says that the request was carried out before.
    """

    payment: Payment
    replayed: bool
    claim: Claim | None


class PaymentWrites:
    """Write functions, to be handed to `Database.write`; each is one transaction."""

    def __init__(self, *, log: EventLog, leases: Leases, clock: Clock, ids: IdFactory) -> None:
        self._log = log
        self._leases = leases
        self._clock = clock
        self._ids = ids

    def carry_out(
        self,
        connection: Connection,
        intention: Intention[commands.Request],
        *,
        leased: bool,
    ) -> WrittenPayment:
        """Write what the request makes happen, and remember it for ever.

        What is pending afterwards is leased to this process, unless `leased` is False or
        somebody holds it already. Raises what `decide` raises, RequestIdReusedError,
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
        happened = decide(intention.command, before, now=now)
        after = self._append(connection, before, happened)
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
        intent: ProcessorCall,
        evidence: commands.Evidence,
    ) -> Payment:
        """Write what the processor answered to `intent`; close the lease where nothing is left.

        `known` is the payment that the intent was taken from. Where another intent is pending
        meanwhile, the answer is to a question of the past and writes nothing; a stale holder
        finds out when it closes or keeps its lease. Raises StaleLeaseError,
        UnexpectedEvidenceError.
        """
        try:
            after = self._answer(connection, known, intent, evidence)
        except StreamConflictError:
            # A request came in between. Writers are serial: the next look is the truth.
            now = load(connection, claim.subject)
            after = self._answer(connection, now, intent, evidence)
        if after is known:
            # Nothing was written, so nothing told whether `known` is old by now.
            after = load(connection, claim.subject)
        self._keep_or_close(connection, claim, after)
        return after

    def finish(self, connection: Connection, claim: Claim) -> Payment:
        """Close the lease, if nothing is pending indeed. Raises StaleLeaseError."""
        payment = load(connection, claim.subject)
        self._keep_or_close(connection, claim, payment)
        return payment

    def _answer(
        self,
        connection: Connection,
        before: Payment,
        intent: ProcessorCall,
        evidence: commands.Evidence,
    ) -> Payment:
        if next_call(before) != intent:
            return before
        happened = decide(evidence, before, now=self._clock.now())
        return self._append(connection, before, happened)

    def correlation(self, connection: Connection, payment: Payment) -> Correlation:
        """Whose story the payment is: that of its newest event, which leads to the next."""
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
        self, connection: Connection, before: Payment | None, happened: Sequence[Event]
    ) -> Payment:
        if before is not None and not happened:
            return before
        stored = self._log.append(
            connection,
            happened[0].payment_id if before is None else before.payment_id,
            0 if before is None else before.version,
            [to_new_event(event) for event in happened],
            not_before=None if before is None else before.update_time,
        )
        after = before
        posted: list[tuple[str, Posting]] = []
        for event, record in zip(happened, stored, strict=True):
            posted += [(self._ids.new("pst"), each) for each in postings(after, event)]
            after = evolve(after, event, record.occur_time)
        if after is None:
            raise PaymentNotFoundError
        payment_rows.save(connection, after, is_new=before is None)
        ledger_entries.append_postings(connection, after, posted)
        return after

    def _lease(
        self, connection: Connection, before: Payment | None, after: Payment, *, leased: bool
    ) -> Claim | None:
        """Who has to drive `after`: we, where nobody had to drive `before`."""
        if before is None:
            is_due = next_call(after) is not None
        else:
            is_due = after.is_pending and not before.is_pending
        if is_due:
            claim = self._leases.open(connection, after.payment_id, LEASE_KIND, leased=leased)
            return claim if leased else None
        return self._claim(connection, after) if leased else None

    def _claim(self, connection: Connection, payment: Payment) -> Claim | None:
        """The claim to a pending payment that nobody drives at the moment."""
        if not payment.is_pending:
            return None
        return self._leases.claim(connection, payment.payment_id)


def load(connection: Connection, payment_id: str) -> Payment:
    """The payment as it stands. Raises PaymentNotFoundError."""
    payment = payment_rows.load(connection, payment_id)
    if payment is None:
        raise PaymentNotFoundError(payment_id=payment_id)
    return payment


def _find(connection: Connection, command: commands.Request) -> Payment | None:
    match command:
        case commands.Authorize():
            return _find_fence(connection, command)
        case commands.Void():
            return _find_to_void(connection, command)
        case commands.Capture() | commands.Refund():
            return payment_rows.load(connection, command.payment_id)


def _find_fence(connection: Connection, command: commands.Authorize) -> Payment | None:
    """The tombstone of a void that came first; None where the way is free."""
    in_the_way = payment_rows.load_conflicting(
        connection, authorize_request_id=command.request_id, order_id=command.order_id
    )
    for payment in in_the_way:
        if payment.authorize_request_id == command.request_id:
            if payment.order_id != command.order_id:
                raise RequestIdReusedError(method="AuthorizePayment", request_id=command.request_id)
            return payment
    for payment in in_the_way:
        raise PaymentAlreadyExistsError(order_id=command.order_id, payment_id=payment.payment_id)
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
