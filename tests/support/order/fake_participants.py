"""Inventory and payment in memory: the semantics of their contracts, with scripted failures.

They are called directly, through a channel without a network, or through a real server. A repeated
request with other bytes fails the test.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from tradepost.inventory.v1 import inventory_service_pb2 as inventory_rpc
from tradepost.inventory.v1 import reservation_pb2 as rsv
from tradepost.type.v1.money_pb2 import Money

from discovery.clock import Clock
from discovery.rules import deadline
from services.chassis.request.wire_values import to_timestamp
from tests.support.order.changed_answers import newer, pending
from tests.support.order.scripted_failures import (
    FailureScript,
    ForeignError,
    LostAnswer,
    NewerAnswer,
    PendingAnswer,
    RefusedCall,
    rpc_error,
)

M = TypeVar("M", bound=Message)

UNIT_PRICE = 100


class Participant:
    """What both fakes share: a domain, a failure script, and the requests received so far."""

    def __init__(self, domain: str, *, clock: Clock, script: FailureScript) -> None:
        self.domain = domain
        self.clock = clock
        self.script = script
        self.requests: dict[tuple[str, str], bytes] = {}
        self.calls: list[str] = []
        self.deadlines: list[float | None] = []

    async def answer(self, method: str, request: Any, effect: Callable[[], M]) -> M:
        """Carry out a call and answer it, unless the script says otherwise."""
        self.remember(method, request)
        self.script.reach(f"before {method}")
        fault = self.script.next_fault(method)
        if fault is LostAnswer.BEFORE:
            raise rpc_error(grpc.StatusCode.UNAVAILABLE)
        if isinstance(fault, ForeignError):
            raise rpc_error(fault.code)
        if isinstance(fault, RefusedCall):
            raise rpc_error(fault.code, reason=fault.reason, domain=self.domain)
        response = effect()
        self.script.reach(f"after {method}")
        await self.script.meanwhile(method)
        if fault is LostAnswer.AFTER:
            raise rpc_error(grpc.StatusCode.DEADLINE_EXCEEDED)
        if fault is NewerAnswer.STATE:
            return newer(response)
        return pending(response) if fault is PendingAnswer.PENDING else response

    def remember(self, method: str, request: Any) -> None:
        """Record a call; a repeated request_id must come with the same request."""
        self.calls.append(method)
        self.deadlines.append(deadline.current())
        asked = request.SerializeToString(deterministic=True)
        if request.request_id:
            known = self.requests.setdefault((method, request.request_id), asked)
            assert known == asked, f"{method} was repeated with another request"

    def refusal(self, code: grpc.StatusCode, reason: str) -> grpc.aio.AioRpcError:
        """Make an error of this participant."""
        return rpc_error(code, reason=reason, domain=self.domain)


class FakeInventory(Participant):
    """The stock of a few SKUs at one price; `stock` is the available number of units."""

    def __init__(self, *, clock: Clock, script: FailureScript) -> None:
        super().__init__("inventory.tradepost", clock=clock, script=script)
        self.stock = Counter({"milk": 100, "tea": 100})
        self.reservations: dict[str, rsv.Reservation] = {}
        self.returned: set[str] = set()

    async def ReserveStock(
        self, request: inventory_rpc.ReserveStockRequest, *, timeout: float | None = None, **_: Any
    ) -> inventory_rpc.ReserveStockResponse:
        """Hold all lines or none."""

        def effect() -> inventory_rpc.ReserveStockResponse:
            if request.validate_only:
                return inventory_rpc.ReserveStockResponse(reservation=self._made(request))
            known = self.reservations.get(request.reservation_id)
            if known is None:
                known = self.reservations[request.reservation_id] = self._made(request)
                if known.state == rsv.RESERVATION_STATE_HELD:
                    self.stock.subtract({line.sku: line.quantity for line in known.lines})
            elif known.state == rsv.RESERVATION_STATE_RELEASED and not known.lines:
                known.refusal.reason = rsv.RESERVATION_REFUSAL_REASON_RESERVATION_FENCED
            return inventory_rpc.ReserveStockResponse(reservation=known)

        return await self.answer("ReserveStock", request, effect)

    async def CommitReservation(
        self,
        request: inventory_rpc.CommitReservationRequest,
        *,
        timeout: float | None = None,
        **_: Any,
    ) -> inventory_rpc.CommitReservationResponse:
        """Make a hold final."""

        def effect() -> inventory_rpc.CommitReservationResponse:
            known = self._existing(request.reservation_id)
            if known.state == rsv.RESERVATION_STATE_HELD:
                known.state = rsv.RESERVATION_STATE_COMMITTED
            self._must_be(known, rsv.RESERVATION_STATE_COMMITTED, rsv.RESERVATION_STATE_EXPIRED)
            return inventory_rpc.CommitReservationResponse(reservation=known)

        return await self.answer("CommitReservation", request, effect)

    async def ReleaseReservation(
        self,
        request: inventory_rpc.ReleaseReservationRequest,
        *,
        timeout: float | None = None,
        **_: Any,
    ) -> inventory_rpc.ReleaseReservationResponse:
        """Give units back, or leave a tombstone that refuses a late reserve."""

        def effect() -> inventory_rpc.ReleaseReservationResponse:
            known = self.reservations.setdefault(
                request.reservation_id,
                rsv.Reservation(
                    reservation_id=request.reservation_id,
                    order_id=request.order_id,
                    state=rsv.RESERVATION_STATE_RELEASED,
                ),
            )
            if known.state in (rsv.RESERVATION_STATE_HELD, rsv.RESERVATION_STATE_COMMITTED):
                self._give_back(known, rsv.RESERVATION_STATE_RELEASED)
            self._must_be(
                known,
                rsv.RESERVATION_STATE_RELEASED,
                rsv.RESERVATION_STATE_EXPIRED,
                rsv.RESERVATION_STATE_REJECTED,
            )
            return inventory_rpc.ReleaseReservationResponse(reservation=known)

        return await self.answer("ReleaseReservation", request, effect)

    async def FulfillReservation(
        self,
        request: inventory_rpc.FulfillReservationRequest,
        *,
        timeout: float | None = None,
        **_: Any,
    ) -> inventory_rpc.FulfillReservationResponse:
        """Ship the units."""

        def effect() -> inventory_rpc.FulfillReservationResponse:
            known = self._existing(request.reservation_id)
            if known.state == rsv.RESERVATION_STATE_COMMITTED:
                known.state = rsv.RESERVATION_STATE_FULFILLED
            self._must_be(known, rsv.RESERVATION_STATE_FULFILLED)
            return inventory_rpc.FulfillReservationResponse(reservation=known)

        return await self.answer("FulfillReservation", request, effect)

    async def GetReservation(
        self,
        request: inventory_rpc.GetReservationRequest,
        *,
        timeout: float | None = None,
        **_: Any,
    ) -> inventory_rpc.GetReservationResponse:
        """Read a reservation."""
        reservation = self._existing(request.reservation_id)
        return inventory_rpc.GetReservationResponse(reservation=reservation)

    async def ReturnStock(
        self, request: inventory_rpc.ReturnStockRequest, *, timeout: float | None = None, **_: Any
    ) -> inventory_rpc.ReturnStockResponse:
        """Take shipped units back, once for each request."""

        def effect() -> inventory_rpc.ReturnStockResponse:
            known = self._existing(request.reservation_id)
            self._must_be(known, rsv.RESERVATION_STATE_FULFILLED)
            if request.request_id not in self.returned:
                for line in request.lines:
                    shipped = next(each for each in known.lines if each.sku == line.sku)
                    if shipped.returned_quantity + line.quantity > shipped.quantity:
                        code = grpc.StatusCode.FAILED_PRECONDITION
                        raise self.refusal(code, "RETURN_EXCEEDS_FULFILLED")
                    shipped.returned_quantity += line.quantity
                    self.stock[line.sku] += line.quantity
                self.returned.add(request.request_id)
            return inventory_rpc.ReturnStockResponse(reservation=known)

        return await self.answer("ReturnStock", request, effect)

    def expire_holds(self) -> None:
        """Expire every hold, as the sweeper would."""
        for known in self.reservations.values():
            if known.state == rsv.RESERVATION_STATE_HELD:
                self._give_back(known, rsv.RESERVATION_STATE_EXPIRED)
                known.refusal.reason = rsv.RESERVATION_REFUSAL_REASON_RESERVATION_EXPIRED

    def _made(self, request: inventory_rpc.ReserveStockRequest) -> rsv.Reservation:
        wanted: Counter[str] = Counter()
        for line in request.lines:
            wanted[line.sku] += line.quantity
        made = rsv.Reservation(reservation_id=request.reservation_id, order_id=request.order_id)
        refusal = self._why_not(request, wanted)
        if refusal is not None:
            made.state = rsv.RESERVATION_STATE_REJECTED
            made.refusal.CopyFrom(refusal)
            return made
        made.state = rsv.RESERVATION_STATE_HELD
        for sku, quantity in sorted(wanted.items()):
            made.lines.add(
                sku=sku,
                quantity=quantity,
                name=sku.title(),
                unit_price=usd(UNIT_PRICE),
                line_total=usd(UNIT_PRICE * quantity),
            )
        made.total.CopyFrom(usd(UNIT_PRICE * wanted.total()))
        made.expire_time.CopyFrom(to_timestamp(self.clock.now() + timedelta(seconds=120)))
        return made

    def _why_not(
        self, request: inventory_rpc.ReserveStockRequest, wanted: Counter[str]
    ) -> rsv.ReservationRefusal | None:
        unknown = sorted(set(wanted) - set(self.stock))
        if unknown:
            return rsv.ReservationRefusal(
                reason=rsv.RESERVATION_REFUSAL_REASON_UNKNOWN_SKU, facts={"skus": ",".join(unknown)}
            )
        total = UNIT_PRICE * wanted.total()
        if request.HasField("expected_total") and request.expected_total.minor_units != total:
            facts = {"expected": str(request.expected_total.minor_units), "actual": str(total)}
            return rsv.ReservationRefusal(
                reason=rsv.RESERVATION_REFUSAL_REASON_PRICE_CHANGED, facts=facts
            )
        short = {sku: number for sku, number in wanted.items() if number > self.stock[sku]}
        if not short:
            return None
        return rsv.ReservationRefusal(
            reason=rsv.RESERVATION_REFUSAL_REASON_INSUFFICIENT_STOCK,
            shortages=[
                rsv.Shortage(sku=sku, requested_count=number, available_count=self.stock[sku])
                for sku, number in sorted(short.items())
            ],
        )

    def _give_back(self, known: rsv.Reservation, state: rsv.ReservationState) -> None:
        known.state = state
        self.stock.update({line.sku: line.quantity for line in known.lines})

    def _existing(self, reservation_id: str) -> rsv.Reservation:
        known = self.reservations.get(reservation_id)
        if known is None:
            raise self.refusal(grpc.StatusCode.NOT_FOUND, "RESERVATION_NOT_FOUND")
        return known

    def _must_be(self, known: rsv.Reservation, *states: int) -> None:
        if known.state not in states:
            raise self.refusal(grpc.StatusCode.FAILED_PRECONDITION, "RESERVATION_STATE_CONFLICT")


def usd(minor_units: int) -> Money:
    """Make an amount in US cents."""
    return Money(currency_code="USD", minor_units=minor_units)
