"""A snapshot of the suite: everything that the public API can show, and the delivered mail."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import grpc
from tradepost.event.v1.event_pb2 import DeadLetter
from tradepost.event.v1.event_service_pb2 import ListDeadLettersRequest
from tradepost.inventory.v1.inventory_service_pb2 import (
    ListReservationsRequest,
    ListStockMovementsRequest,
    ListStockRequest,
)
from tradepost.inventory.v1.item_pb2 import StockLevel, StockMovement
from tradepost.inventory.v1.reservation_pb2 import Reservation
from tradepost.notification.v1.notification_pb2 import Notification
from tradepost.notification.v1.notification_service_pb2 import ListNotificationsRequest
from tradepost.order.admin.v1.saga_admin_service_pb2 import ListSagasRequest
from tradepost.order.admin.v1.saga_pb2 import Saga
from tradepost.order.v1.order_pb2 import Order
from tradepost.order.v1.order_service_pb2 import (
    CustomerSummary,
    GetCustomerSummaryRequest,
    ListOrdersRequest,
)
from tradepost.payment.testing.v1.simulated_processor_pb2 import ProcessorEntry
from tradepost.payment.testing.v1.simulated_processor_service_pb2 import (
    ListProcessorEntriesRequest,
)
from tradepost.payment.v1.ledger_pb2 import LedgerEntry
from tradepost.payment.v1.payment_pb2 import Payment
from tradepost.payment.v1.payment_service_pb2 import ListLedgerEntriesRequest, ListPaymentsRequest

from scripts.replay.books import archived
from scripts.suite import mailbox
from services.console.reading.stubs import Stubs

PAGE_SIZE = 1_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All records of an idle suite; `mails` is the time of each delivered mail, in ns."""

    orders: Sequence[Order]
    sagas: Sequence[Saga]
    payments: Sequence[Payment]
    ledger: Sequence[LedgerEntry]
    processor: Sequence[ProcessorEntry]
    stock: Sequence[StockLevel]
    movements: Sequence[StockMovement]
    reservations: Sequence[Reservation]
    notifications: Sequence[Notification]
    summaries: Sequence[CustomerSummary]
    dead_letters: Sequence[DeadLetter]
    mails: Mapping[str, int]


class _Page(Protocol):
    @property
    def next_page_token(self) -> str: ...


PageT = TypeVar("PageT", bound=_Page)
ItemT = TypeVar("ItemT")


async def take_snapshot(stubs: Stubs, mail: Path, archive: Path | None) -> Snapshot:
    """Read all records page by page, the mail in its folder, and what a retention has archived.

    Call it when the suite is idle: the pages are not read in one transaction.
    """
    orders = await _orders(stubs)
    payments = await _payments(stubs)
    reservations = await _reservations(stubs)
    notifications = await _notifications(stubs)
    if archive is not None:
        # Read after the lists: what was removed meanwhile is in one of both.
        orders += archived.orders(archive, {each.order_id for each in orders})
        payments += archived.payments(archive, {each.payment_id for each in payments})
        reservations += archived.reservations(
            archive, {each.reservation_id for each in reservations}
        )
        notifications += archived.notifications(
            archive, {each.notification_id for each in notifications}
        )
    return Snapshot(
        orders=orders,
        sagas=await _sagas(stubs),
        payments=payments,
        ledger=await _read(
            lambda token: stubs.payments.ListLedgerEntries(
                ListLedgerEntriesRequest(page_size=PAGE_SIZE, page_token=token)
            ),
            lambda page: page.entries,
        ),
        processor=await _processor(stubs),
        stock=await _read(
            lambda token: stubs.inventory.ListStock(
                ListStockRequest(page_size=PAGE_SIZE, page_token=token)
            ),
            lambda page: page.stock,
        ),
        movements=await _read(
            lambda token: stubs.inventory.ListStockMovements(
                ListStockMovementsRequest(page_size=PAGE_SIZE, page_token=token)
            ),
            lambda page: page.movements,
        ),
        reservations=reservations,
        notifications=notifications,
        summaries=await _summaries(stubs, orders),
        dead_letters=await _dead_letters(stubs),
        mails=mailbox.delivered(mail),
    )


async def _payments(stubs: Stubs) -> list[Payment]:
    return await _read(
        lambda token: stubs.payments.ListPayments(
            ListPaymentsRequest(page_size=PAGE_SIZE, page_token=token)
        ),
        lambda page: page.payments,
    )


async def _reservations(stubs: Stubs) -> list[Reservation]:
    return await _read(
        lambda token: stubs.inventory.ListReservations(
            ListReservationsRequest(page_size=PAGE_SIZE, page_token=token)
        ),
        lambda page: page.reservations,
    )


async def _orders(stubs: Stubs) -> list[Order]:
    return await _read(
        lambda token: stubs.orders.ListOrders(
            ListOrdersRequest(page_size=PAGE_SIZE, page_token=token)
        ),
        lambda page: page.orders,
    )


async def _summaries(stubs: Stubs, orders: Iterable[Order]) -> list[CustomerSummary]:
    return [
        (await stubs.orders.GetCustomerSummary(_summary_of(customer_id))).summary
        for customer_id in sorted({order.customer_id for order in orders})
    ]


def _summary_of(customer_id: str) -> GetCustomerSummaryRequest:
    return GetCustomerSummaryRequest(customer_id=customer_id)


async def _sagas(stubs: Stubs) -> list[Saga]:
    return await _read(
        lambda token: stubs.sagas.ListSagas(
            ListSagasRequest(page_size=PAGE_SIZE, page_token=token)
        ),
        lambda page: page.sagas,
    )


async def _notifications(stubs: Stubs) -> list[Notification]:
    return await _read(
        lambda token: stubs.notifications.ListNotifications(
            ListNotificationsRequest(page_size=PAGE_SIZE, page_token=token)
        ),
        lambda page: page.notifications,
    )


async def _dead_letters(stubs: Stubs) -> list[DeadLetter]:
    """The events that consumers could not apply: the first page of each service."""
    found: list[DeadLetter] = []
    for stub in stubs.dead_letters.values():
        try:
            found += (await stub.ListDeadLetters(ListDeadLettersRequest())).dead_letters
        except grpc.aio.AioRpcError as error:
            # A service without consumers doesn't serve the method.
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                raise
    return found


async def _processor(stubs: Stubs) -> list[ProcessorEntry]:
    entries: list[ProcessorEntry] = []
    more = True
    while more:
        after = entries[-1].sequence if entries else 0
        request = ListProcessorEntriesRequest(after_sequence=after, page_size=PAGE_SIZE)
        page = await stubs.processor.ListProcessorEntries(request)
        entries += page.entries
        more = page.more
    return entries


async def _read(
    ask: Callable[[str], Awaitable[PageT]], items: Callable[[PageT], Iterable[ItemT]]
) -> list[ItemT]:
    """The items of all pages, from the first page token to the last."""
    found: list[ItemT] = []
    token = ""
    while True:
        page = await ask(token)
        found += items(page)
        token = page.next_page_token
        if not token:
            return found
