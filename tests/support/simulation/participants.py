"""Participants without servers: what their RPCs and their consumers do, one step at a time.

A house can be left and entered again, as a process dies and another takes its place: what was in
memory is gone, leases run out, the database stays.
"""

import random
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import grpc
from google.protobuf.message import Message
from tradepost.inventory.v1 import inventory_service_pb2 as rpc
from tradepost.payment.v1 import payment_service_pb2 as pb
from tradepost.type.v1.money_pb2 import Money as Price

from discovery.clock import Clock
from services.chassis.consumer.inbox import Handler
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog
from services.chassis.request.intention import Intention
from services.chassis.server.error_rules import Errors
from services.chassis.store.database import Database
from services.chassis.work.latest_states import LatestStates
from services.chassis.work.lease import Claim, Leases, StaleLeaseError
from services.inventory.api.item_writes import ItemWrites
from services.inventory.api.reservation_writes import ReservationWrites
from services.inventory.api.servicer import InventoryServicer
from services.inventory.checkout import consumer as stock_consumer
from services.inventory.wire.errors import ERRORS as STOCK_ERRORS
from services.payment.checkout import consumer as money_consumer
from services.payment.domain.state import Payment
from services.payment.processor.driver import PaymentDrive
from services.payment.processor.port import Processor
from services.payment.store.payment_writes import LEASE_KIND, PaymentWrites, load
from services.payment.wire import replies, requests
from services.payment.wire.replies import ERRORS as MONEY_ERRORS
from tests.support.order.scripted_failures import (
    FailureScript,
    LostAnswer,
    ProcessDiedError,
    crashing,
    rpc_error,
)


@dataclass(frozen=True)
class Means:
    """What every house works with."""

    clock: Clock
    ids: IdFactory
    rng: random.Random
    script: FailureScript


class _Quiet:
    """A context that nobody reads."""

    def set_trailing_metadata(self, _: object) -> None:
        """Whether something was replayed is no matter here."""


@dataclass
class Stock:
    """Inventory; its handlers by the name of their consumer."""

    name = "inventory"
    database: Database
    means: Means

    def __post_init__(self) -> None:
        self.log = EventLog(clock=self.means.clock, ids=self.means.ids)
        self.enter()

    def enter(self) -> None:
        """Begin anew, as a new process."""
        reservations = ReservationWrites(log=self.log, clock=self.means.clock)
        self.written = crashing(self.database, self.means.script)
        self.servicer = InventoryServicer(
            database=self.written,
            items=ItemWrites(log=self.log, clock=self.means.clock),
            reservations=reservations,
        )
        self.handlers: Mapping[str, Handler] = {
            stock_consumer.ORDER_CONSUMER: stock_consumer.StockReserver(reservations),
            stock_consumer.PAYMENT_CONSUMER: stock_consumer.ReservationCommitter(reservations),
        }

    async def fill(self, units: Mapping[str, int]) -> None:
        """Put items on the shelves, at a price that follows from the name."""
        items = [
            rpc.ItemUpsert(
                sku=sku,
                name=sku,
                unit_price=Price(currency_code="USD", minor_units=100 + len(sku)),
                initial_on_hand_count=number,
            )
            for sku, number in units.items()
        ]
        request_id = str(uuid.UUID(int=1))
        await self.answer("UpsertItems", rpc.UpsertItemsRequest(request_id=request_id, items=items))

    async def answer(self, method: str, request: Any) -> Message:
        """What the RPC answers."""
        return cast(Message, await getattr(self.servicer, method)(request, _Quiet()))


@dataclass
class Money:
    """Payment, and the claims that its events have begun."""

    name = "payment"
    database: Database
    means: Means
    processor: Processor
    begun: list[Claim] = field(default_factory=list)
    entered: int = 0

    def __post_init__(self) -> None:
        self.log = EventLog(clock=self.means.clock, ids=self.means.ids)
        self.enter()

    def enter(self) -> None:
        """Begin anew, as a new process: nobody drives what the last one had begun."""
        means, self.begun = self.means, []
        self.entered += 1
        self.written = crashing(self.database, means.script)
        self.leases = Leases(owner=f"payment-{self.entered}", clock=means.clock, rng=means.rng)
        self.store = PaymentWrites(
            log=self.log, leases=self.leases, clock=means.clock, ids=means.ids
        )
        notices: LatestStates[Payment] = LatestStates()
        self.drive = PaymentDrive(
            database=self.written,
            store=self.store,
            leases=self.leases,
            processor=self.processor,
            notices=notices,
            is_draining=lambda: False,
        )
        work = money_consumer.DrivenWrites(
            store=self.store,
            is_draining=lambda: False,
            begin=lambda outcome: None if outcome.claim is None else self._begin(outcome.claim),
        )
        self.handlers: Mapping[str, Handler] = {
            money_consumer.RESERVATION_CONSUMER: money_consumer.PaymentAuthorizer(
                work, means.ids.new
            ),
            money_consumer.ORDER_CONSUMER: money_consumer.PaymentCapturer(work),
        }

    def _begin(self, claim: Claim) -> None:
        self.begun.append(claim)

    async def answer(self, method: str, request: Any) -> Message:
        """What the RPC answers when its caller waits for one drive."""
        intention = _intention(method, request, self.means.ids)
        carry_out = partial(self.store.carry_out, leased=True)
        outcome = await self.written.write(carry_out, intention)
        if outcome.claim is not None:
            await self.drive(outcome.claim)
        payment = await self.database.read(load, outcome.payment.payment_id)
        return _response(method, payment, intention.request_id)

    async def drive_begun(self) -> bool:
        """Drive the oldest claim that was begun; False where there is none."""
        if not self.begun:
            return False
        try:
            await self.drive(self.begun.pop(0))
        except ProcessDiedError:
            self.enter()
        except StaleLeaseError:
            # Somebody else drives it by now.
            pass
        return True

    async def claim_due(self) -> None:
        """Find what nobody drives."""
        self.begun += await self.database.write(self.leases.claim_due, LEASE_KIND, 10)


def _intention(method: str, request: Any, ids: IdFactory) -> Intention[Any]:
    match method:
        case "AuthorizePayment":
            return requests.to_authorize(request, ids.new)
        case "CapturePayment":
            return requests.to_capture(request)
        case "VoidPayment":
            return requests.to_void(request, ids.new)
        case _:
            return requests.to_refund(request, ids.new)


def _response(method: str, payment: Payment, request_id: str) -> Message:
    match method:
        case "AuthorizePayment":
            return pb.AuthorizePaymentResponse(payment=replies.to_payment(payment))
        case "CapturePayment":
            return replies.to_capture_response(payment, request_id)
        case "VoidPayment":
            return pb.VoidPaymentResponse(payment=replies.to_payment(payment))
        case _:
            return replies.to_refund_response(payment, request_id)


class Door:
    """A channel into a house without a network; calls get lost there, as the script says.

    Whoever dies inside is followed by another, and the caller only knows that nobody answered.
    """

    def __init__(self, house: Stock | Money) -> None:
        self._house = house
        is_stock = isinstance(house, Stock)
        self._errors: Errors = STOCK_ERRORS if is_stock else MONEY_ERRORS
        self._domain = "inventory.tradepost" if is_stock else "payment.tradepost"

    def unary_unary(self, path: str, *_: Any, **__: Any) -> Callable[..., Awaitable[Message]]:
        """The method at the end of the path."""
        return partial(self._call, path.rpartition("/")[2])

    async def _call(self, method: str, request: Any, **_: Any) -> Message:
        fault = self._house.means.script.next_fault(method)
        if fault is LostAnswer.BEFORE:
            raise rpc_error(grpc.StatusCode.UNAVAILABLE)
        try:
            response = await self._house.answer(method, request)
        except ProcessDiedError:
            self._house.enter()
            raise rpc_error(grpc.StatusCode.UNAVAILABLE) from None
        except tuple(self._errors) as error:
            rule = self._errors[type(error)]
            raise rpc_error(rule.code, reason=rule.reason, domain=self._domain) from None
        if fault is LostAnswer.AFTER:
            raise rpc_error(grpc.StatusCode.DEADLINE_EXCEEDED)
        return response


def as_channel(door: Door) -> grpc.aio.Channel:
    """What a stub takes it for."""
    return cast(grpc.aio.Channel, door)
