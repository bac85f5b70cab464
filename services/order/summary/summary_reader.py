"""Reads the summary of a customer, and waits until it has reached the requested position."""

from sqlalchemy import Connection
from tradepost.order.v1 import order_service_pb2 as rpc

from discovery.clock import Clock
from services.chassis.consumer.inbox import Inbox
from services.chassis.domain.money import Money
from services.chassis.log.tailer import Tailer
from services.chassis.request.slot import slot_released
from services.chassis.request.wire_values import to_money, to_timestamp
from services.chassis.store.database import Database
from services.chassis.store.micros import from_micros
from services.order.domain.errors import ViewLaggingError
from services.order.domain.queries import SummaryQuery
from services.order.summary.summary_store import SUMMARY
from services.order.summary.totals import Spend, Totals

# Any instance may apply the events, so a waiting caller reads the summary at this interval.
POLL_S = 0.05


class SummaryReader:
    """Reads summaries; the inboxes `orders` and `payments` know the positions of the two feeds."""

    def __init__(
        self, *, database: Database, orders: Inbox, payments: Inbox, tailer: Tailer, clock: Clock
    ) -> None:
        self._database = database
        self._orders = orders
        self._payments = payments
        self._tailer = tailer
        self._clock = clock

    async def get(self, query: SummaryQuery, patience_s: float) -> rpc.GetCustomerSummaryResponse:
        """Return the summary when it has reached the position of the query.

        Raises ViewLaggingError after `patience_s` seconds, and at once while the process drains:
        the caller can ask another instance, which has the same view.
        """
        until_s = self._clock.monotonic() + patience_s
        while True:
            found = await self._database.read(self._find, query.customer_id)
            left_s = until_s - self._clock.monotonic()
            if found.position >= query.min_position:
                return found
            if left_s <= 0 or self._tailer.closed:
                raise ViewLaggingError(position=found.position, min_position=query.min_position)
            with slot_released():
                await self._clock.sleep(min(left_s, POLL_S))

    def _find(self, connection: Connection, customer_id: str) -> rpc.GetCustomerSummaryResponse:
        """Read totals and positions in one snapshot."""
        orders, payments = self._orders.reached(connection), self._payments.reached(connection)
        return rpc.GetCustomerSummaryResponse(
            summary=_to_message(
                SUMMARY.totals(connection, customer_id), SUMMARY.spend(connection, customer_id)
            ),
            position=0 if orders is None else orders.position,
            payment_position=0 if payments is None else payments.position,
        )


def _to_message(totals: Totals, spend: tuple[Spend, ...]) -> rpc.CustomerSummary:
    message = rpc.CustomerSummary(
        customer_id=totals.customer_id,
        order_count=totals.order_count,
        confirmed_count=totals.confirmed_count,
        spend=[
            rpc.CustomerSpend(
                captured_amount=to_money(Money(each.currency_code, each.captured_minor)),
                refunded_amount=to_money(Money(each.currency_code, each.refunded_minor)),
            )
            for each in spend
        ],
    )
    if totals.last_order_id:
        message.last_order_id = totals.last_order_id
        message.last_order_time.CopyFrom(to_timestamp(from_micros(totals.last_order_micros)))
    return message
