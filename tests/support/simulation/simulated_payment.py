"""The payment service without a server: its RPCs, consumers and drives, one step at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from google.protobuf.message import Message
from tradepost.payment.v1 import payment_service_pb2 as pb

from services.chassis.consumer.inbox import Handler
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog
from services.chassis.request.intention import Intention
from services.chassis.store.database import Database
from services.chassis.work.latest_states import LatestStates
from services.chassis.work.lease import Claim, Leases, StaleLeaseError
from services.payment.checkout import consumer as payment_consumer
from services.payment.domain.state import Payment
from services.payment.processor.driver import PaymentDrive
from services.payment.processor.port import Processor
from services.payment.store.ledger_entries import list_entries
from services.payment.store.payment_listing import list_payments
from services.payment.store.payment_writes import LEASE_KIND, PaymentWrites, load
from services.payment.wire import queries, replies, requests
from services.payment.wire.errors import ERRORS
from tests.support.order.scripted_failures import ProcessDiedError, crashing
from tests.support.simulation.dependencies import SimulationDependencies


@dataclass
class SimulatedPayment:
    """The payment service; `pending` are the claims of work that its events have begun.

    `handlers` are by the name of their consumer. `crashing` is the database as the service's
    process uses it: the script says where it dies.
    """

    name = "payment"
    errors = ERRORS
    database: Database
    dependencies: SimulationDependencies
    processor: Processor
    pending: list[Claim] = field(default_factory=list)
    run_count: int = 0

    def __post_init__(self) -> None:
        self.log = EventLog(clock=self.dependencies.clock, ids=self.dependencies.ids)
        self.restart()

    def restart(self) -> None:
        """Start a new process on the database; work that the old one had begun is not driven."""
        clock, ids = self.dependencies.clock, self.dependencies.ids
        self.pending = []
        self.run_count += 1
        self.crashing = crashing(self.database, self.dependencies.script)
        self.leases = Leases(
            owner=f"payment-{self.run_count}", clock=clock, rng=self.dependencies.rng
        )
        self.store = PaymentWrites(log=self.log, leases=self.leases, clock=clock, ids=ids)
        latest: LatestStates[Payment] = LatestStates()
        self.drive = PaymentDrive(
            database=self.crashing,
            store=self.store,
            leases=self.leases,
            processor=self.processor,
            latest=latest,
            is_draining=lambda: False,
        )
        work = payment_consumer.DrivenWrites(
            store=self.store,
            is_draining=lambda: False,
            begin=lambda outcome: (
                None if outcome.claim is None else self.pending.append(outcome.claim)
            ),
        )
        self.handlers: Mapping[str, Handler] = {
            payment_consumer.RESERVATION_CONSUMER: payment_consumer.ReservationHeldHandler(
                work, ids.new
            ),
            payment_consumer.ORDER_CONSUMER: payment_consumer.CaptureRequestedHandler(work),
        }

    async def call(self, method: str, request: Any) -> Message:
        """Answer an RPC; one that changes a payment, after one drive of the work that it begins."""
        match method:
            case "ListPayments":
                wanted = queries.list_payments(request)
                rows = await self.database.read(list_payments, wanted)
                return replies.to_payment_page(queries.payment_page(request, wanted, rows))
            case "ListLedgerEntries":
                entries_of = queries.list_ledger_entries(request)
                entries = await self.database.read(list_entries, entries_of)
                return replies.to_ledger_page(queries.ledger_page(request, entries_of, entries))
        intention = _intention(method, request, self.dependencies.ids)
        carry_out = partial(self.store.carry_out, leased=True)
        outcome = await self.crashing.write(carry_out, intention)
        if outcome.claim is not None:
            await self.drive(outcome.claim)
        payment = await self.database.read(load, outcome.payment.payment_id)
        return _response(method, payment, intention.command)

    async def drive_pending(self) -> bool:
        """Drive the oldest pending claim; False where there is none."""
        if not self.pending:
            return False
        try:
            await self.drive(self.pending.pop(0))
        except ProcessDiedError:
            self.restart()
        except StaleLeaseError:
            # Another owner has the lease by now.
            pass
        return True

    async def claim_due(self) -> None:
        """Claim work that is due and has no owner."""
        self.pending += await self.database.write(self.leases.claim_due, LEASE_KIND, 10)


def _intention(method: str, request: Any, ids: IdFactory) -> Intention[Any]:
    match method:
        case "AuthorizePayment":
            return requests.authorize_payment(request, ids.new)
        case "CapturePayment":
            return requests.capture_payment(request)
        case "VoidPayment":
            return requests.void_payment(request, ids.new)
        case _:
            return requests.refund_payment(request, ids.new)


def _response(method: str, payment: Payment, command: Any) -> Message:
    match method:
        case "AuthorizePayment":
            return pb.AuthorizePaymentResponse(payment=replies.to_payment(payment))
        case "CapturePayment":
            return replies.to_capture_response(payment, command.request_id)
        case "VoidPayment":
            return pb.VoidPaymentResponse(payment=replies.to_payment(payment))
        case _:
            return replies.to_refund_response(payment, command)
