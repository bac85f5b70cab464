"""The first screen of the phone: the customer's numbers, last orders and their payments."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.storefront.composing.parts import Missing, missing, part
from services.storefront.composing.shop_reader import ShopReader
from services.storefront.views.order_view import OrderView
from services.storefront.views.payment_view import PaymentView
from services.storefront.views.summary_view import SummaryView

LAST_ORDERS = 5


@dataclass(frozen=True, slots=True)
class HomeScreen:
    """The parts, or why they are missing; `payments` are by order."""

    summary: SummaryView | Missing
    orders: tuple[OrderView, ...] | Missing
    payments: Mapping[str, PaymentView] | Missing

    @property
    def missing(self) -> Mapping[str, str]:
        """Why parts are missing, by their names."""
        return missing(summary=self.summary, orders=self.orders, payments=self.payments)


async def home_screen(reader: ShopReader) -> HomeScreen:
    """Read it; the calls end with the deadline that is bound."""
    async with asyncio.TaskGroup() as group:
        summary = group.create_task(part(reader.summary()))
        listed = group.create_task(part(_orders_and_payments(reader)))
    found = listed.result()
    if isinstance(found, Missing):
        return HomeScreen(summary.result(), found, found)
    return HomeScreen(summary.result(), *found)


async def _orders_and_payments(
    reader: ShopReader,
) -> tuple[tuple[OrderView, ...], Mapping[str, PaymentView] | Missing]:
    orders, _ = await reader.orders(size=LAST_ORDERS)
    return orders, await part(_payments(reader, orders))


async def _payments(reader: ShopReader, orders: Sequence[OrderView]) -> Mapping[str, PaymentView]:
    """Read the payments of those orders that have one."""
    found = await asyncio.gather(*(reader.payment(order) for order in orders))
    return {payment.order_id: payment for payment in found if payment is not None}
