"""One order with all that belongs to it, for its page and for the phone."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from services.storefront.composing.parts import Missing, missing, part
from services.storefront.composing.shop_reader import ShopReader
from services.storefront.views.mail_view import MailView
from services.storefront.views.order_view import OrderView
from services.storefront.views.payment_view import PaymentView
from services.storefront.views.timeline import TimelineEntry


@dataclass(frozen=True, slots=True)
class OrderScreen:
    """The order, and each of the other parts or why it is missing.

    `payment` is None before there is one; `stock` is what is available now of the order's items.
    """

    order: OrderView
    timeline: tuple[TimelineEntry, ...] | Missing
    payment: PaymentView | Missing | None
    stock: Mapping[str, int] | Missing
    mails: tuple[MailView, ...] | Missing

    @property
    def is_mail_due(self) -> bool:
        """Whether a mail may be sent in a moment, so that it is worth looking again."""
        if isinstance(self.mails, Missing):
            return False
        return not self.mails or any(not (each.sent or each.is_refused) for each in self.mails)

    @property
    def missing(self) -> Mapping[str, str]:
        """Why parts are missing, by their names."""
        return missing(
            timeline=self.timeline, payment=self.payment, stock=self.stock, mails=self.mails
        )


async def order_screen(reader: ShopReader, order_id: str) -> OrderScreen:
    """Read it; the calls end with the deadline that is bound.

    Raises AioRpcError if the order itself can't be read: only its owner may see the other parts.
    """
    order = await reader.own_order(order_id)
    async with asyncio.TaskGroup() as group:
        timeline = group.create_task(part(reader.timeline(order)))
        payment = group.create_task(part(reader.payment(order)))
        stock = group.create_task(part(reader.stock([line.sku for line in order.lines])))
        mails = group.create_task(part(reader.mails(order_id)))
    return OrderScreen(order, timeline.result(), payment.result(), stock.result(), mails.result())
