"""What one person reads from the services, as views. Every call bears the person's token.

In the open mode the services check no token, so the reader asks only for what is the customer's
own, and answers for somebody else's order as if there were none. Each method raises AioRpcError.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import grpc
from starlette.exceptions import HTTPException
from starlette.requests import Request
from tradepost.inventory.v1 import inventory_service_pb2 as inventory_rpc
from tradepost.notification.v1 import notification_service_pb2 as notification_rpc
from tradepost.order.v1 import order_pb2
from tradepost.order.v1 import order_service_pb2 as order_rpc
from tradepost.payment.v1 import payment_service_pb2 as payment_rpc

from services.storefront.views.item_view import available_by_sku
from services.storefront.views.mail_view import MailView, mail_view
from services.storefront.views.order_view import OrderView, order_view
from services.storefront.views.payment_view import PaymentView, payment_view
from services.storefront.views.summary_view import SummaryView, summary_view
from services.storefront.views.timeline import TimelineEntry, timeline_entry
from services.web.person import person
from services.web.services import Services, metadata
from services.web.services import services as services_of

MAILS_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class ShopReader:
    """Reads for one customer; for nobody ("") only the catalogue."""

    services: Services
    metadata: tuple[tuple[str, str], ...]
    customer_id: str

    @classmethod
    def of(cls, request: Request) -> "ShopReader":
        """Return the reader of who asks."""
        who = person(request)
        return cls(services_of(request), metadata(request), "" if who is None else who.subject)

    async def items(
        self, *, query: str = "", skus: Sequence[str] = (), size: int = 0, page_token: str = ""
    ) -> inventory_rpc.ListItemsResponse:
        """A page of items."""
        request = inventory_rpc.ListItemsRequest(
            query=query, skus=skus, page_size=size, page_token=page_token
        )
        return await self.services.inventory_service.ListItems(request, metadata=self.metadata)

    async def stock(self, skus: Collection[str]) -> Mapping[str, int]:
        """How many units of each of these items can be ordered now."""
        if not skus:
            return {}
        request = inventory_rpc.BatchGetStockRequest(skus=skus)
        answer = await self.services.inventory_service.BatchGetStock(
            request, metadata=self.metadata
        )
        return available_by_sku(answer.stock)

    async def own_order(self, order_id: str) -> OrderView:
        """The order. Raises HTTPException (404) for somebody else's."""
        request = order_rpc.GetOrderRequest(order_id=order_id)
        answer = await self.services.order_service.GetOrder(request, metadata=self.metadata)
        if answer.order.customer_id != self.customer_id:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return order_view(answer.order)

    async def orders(
        self,
        *,
        states: Sequence[order_pb2.OrderState.ValueType] = (),
        size: int,
        page_token: str = "",
    ) -> tuple[tuple[OrderView, ...], str]:
        """A page of the customer's orders, the newest first, and the token of the next page."""
        request = order_rpc.ListOrdersRequest(
            customer_id=self.customer_id, states=states, page_size=size, page_token=page_token
        )
        answer = await self.services.order_service.ListOrders(request, metadata=self.metadata)
        return tuple(order_view(order) for order in answer.orders), answer.next_page_token

    async def timeline(self, order: OrderView) -> tuple[TimelineEntry, ...]:
        """The story of an order up to the version that is shown."""
        call = self.watch(order.order_id, after_version=0)
        entries: list[TimelineEntry] = []
        try:
            async for message in call:
                entries.append(timeline_entry(message))
                if message.version >= order.version:
                    break
        finally:
            call.cancel()
        return tuple(entries)

    def watch(
        self, order_id: str, *, after_version: int
    ) -> grpc.aio.UnaryStreamCall[order_rpc.WatchOrderRequest, order_rpc.WatchOrderResponse]:
        """The versions of an order, until it is final."""
        request = order_rpc.WatchOrderRequest(
            order_id=order_id, after_version=after_version, follow=True
        )
        return self.services.order_service.WatchOrder(request, metadata=self.metadata)

    async def payment(self, order: OrderView) -> PaymentView | None:
        """The payment of an order; None if there is none yet."""
        if not order.payment_id:
            return None
        request = payment_rpc.GetPaymentRequest(payment_id=order.payment_id)
        answer = await self.services.payment_service.GetPayment(request, metadata=self.metadata)
        return payment_view(answer.payment)

    async def mails(self, order_id: str) -> tuple[MailView, ...]:
        """The first mails about an order, the oldest first."""
        request = notification_rpc.ListNotificationsRequest(
            order_id=order_id, customer_id=self.customer_id, page_size=MAILS_A_PAGE
        )
        answer = await self.services.notification_service.ListNotifications(
            request, metadata=self.metadata
        )
        return tuple(mail_view(mail) for mail in answer.notifications)

    async def summary(self) -> SummaryView:
        """What the customer has ordered and paid so far; it can lag."""
        request = order_rpc.GetCustomerSummaryRequest(customer_id=self.customer_id)
        answer = await self.services.order_service.GetCustomerSummary(
            request, metadata=self.metadata
        )
        return summary_view(answer.summary)
