"""Reads everything that four services know about one order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import grpc
from tradepost.event.v1.event_pb2 import AuditRecord, Event
from tradepost.event.v1.event_service_pb2 import ListAuditRecordsRequest, ReadEventsRequest
from tradepost.inventory.v1.inventory_service_pb2 import ListStockMovementsRequest
from tradepost.notification.v1.notification_service_pb2 import ListNotificationsRequest
from tradepost.order.admin.v1.saga_admin_service_pb2 import GetSagaRequest, RetrySagaRequest
from tradepost.order.admin.v1.saga_pb2 import Saga
from tradepost.order.v1.order_service_pb2 import GetOrderRequest, ListOrderEventsRequest
from tradepost.payment.v1.ledger_pb2 import LedgerEntry
from tradepost.payment.v1.payment_pb2 import Payment
from tradepost.payment.v1.payment_service_pb2 import ListLedgerEntriesRequest, ListPaymentsRequest

from services.chassis.ids import with_prefix
from services.console.reading.asker import Asker
from services.console.reading.gathering import Gathering
from services.console.reading.stubs import Stubs
from services.console.timeline.order_record import OrderRecord
from services.console.wire.facts import unpacked

# An order has few events; the retries of one that is stuck are among the newest audit records.
MOST_EVENTS = 1_000
MOST_AUDITS = 200


@dataclass(frozen=True, slots=True)
class OrderReading:
    """What was read, and why the rest is missing, by the names of the parts."""

    record: OrderRecord
    newest_version: int
    missing: Mapping[str, str]


async def read_order(
    stubs: Stubs, asker: Asker, order_id: str, *, as_of_version: int | None = None
) -> OrderReading:
    """Read an order, as it was at a version if one is given.

    Raises AioRpcError when the order itself can't be read.
    """
    reservation_id = with_prefix(order_id, "rsv")
    async with Gathering(asker) as parts:
        order = parts.ask(
            "order",
            stubs.orders.GetOrder,
            GetOrderRequest(order_id=order_id, as_of_version=as_of_version),
        )
        read = _PartsOfOrder(stubs, asker, order_id)
        events = parts.run("events", read.events, needs=ListOrderEventsRequest)
        saga = parts.run("saga", read.saga, needs=GetSagaRequest)
        payments = parts.run("payments", read.payments, needs=ListPaymentsRequest)
        ledger = parts.run("ledger", read.ledger, needs=ListLedgerEntriesRequest)
        movements = parts.ask(
            "stock movements",
            stubs.inventory.ListStockMovements,
            ListStockMovementsRequest(reservation_id=reservation_id, page_size=MOST_EVENTS),
        )
        mails = parts.ask(
            "mails",
            stubs.notifications.ListNotifications,
            ListNotificationsRequest(order_id=order_id, page_size=MOST_EVENTS),
        )
        reserved = parts.run(
            "events of inventory",
            lambda: read.feed("inventory", reservation_id),
            needs=ReadEventsRequest,
        )
        paid = parts.run("events of payment", read.payment_events, needs=ReadEventsRequest)
        audits = parts.run("audit records", read.audits, needs=ListAuditRecordsRequest)
    record = OrderRecord(
        order=order.required().order,
        events=events.value or (),
        saga=saga.value,
        payments=payments.value or (),
        ledger=ledger.value or (),
        movements=movements.value.movements if movements.value else (),
        mails=mails.value.notifications if mails.value else (),
        participant_events=(*(reserved.value or ()), *(paid.value or ())),
        audits=audits.value or (),
    )
    newest = max((each.aggregate_version for each in record.events), default=record.order.version)
    return OrderReading(record, newest, parts.missing)


@dataclass(frozen=True, slots=True)
class _PartsOfOrder:
    """The parts that take more than one call, or whose absence is an answer."""

    stubs: Stubs
    asker: Asker
    order_id: str

    async def events(self) -> Sequence[Event]:
        return await self.asker.read(
            self.stubs.orders.ListOrderEvents,
            ListOrderEventsRequest(order_id=self.order_id),
            lambda page: page.events,
            most=MOST_EVENTS,
        )

    async def saga(self) -> Saga | None:
        """Its unfinished work; None where nothing is left to do."""
        try:
            answer = await self.asker.call(
                self.stubs.sagas.GetSaga, GetSagaRequest(order_id=self.order_id)
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise
        return answer.saga

    async def payments(self) -> Sequence[Payment]:
        return await self.asker.read(
            self.stubs.payments.ListPayments,
            ListPaymentsRequest(order_id=self.order_id),
            lambda page: page.payments,
        )

    async def ledger(self) -> Sequence[LedgerEntry]:
        return [
            entry
            for payment in await self.payments()
            for entry in await self.asker.read(
                self.stubs.payments.ListLedgerEntries,
                ListLedgerEntriesRequest(payment_id=payment.payment_id),
                lambda page: page.entries,
            )
        ]

    async def payment_events(self) -> Sequence[Event]:
        return [
            event
            for payment in await self.payments()
            for event in await self.feed("payment", payment.payment_id)
        ]

    async def feed(self, service: str, aggregate_id: str) -> Sequence[Event]:
        """The events of a service about one of its aggregates."""
        request = ReadEventsRequest(aggregate_id=aggregate_id, page_size=MOST_EVENTS)
        answer = await self.asker.call(self.stubs.feeds[service].ReadEvents, request)
        return answer.events

    async def audits(self) -> Sequence[AuditRecord]:
        """The newest audit records of the order service that are about this order."""
        newest = await self.asker.read(
            self.stubs.audits["order"].ListAuditRecords,
            ListAuditRecordsRequest(newest_first=True),
            lambda page: page.audit_records,
            most=MOST_AUDITS,
        )
        return [each for each in newest if _is_about(each, self.order_id)]


def _is_about(record: AuditRecord, order_id: str) -> bool:
    request = unpacked(record.request)
    return isinstance(request, RetrySagaRequest) and request.order_id == order_id
