"""The gRPC servicer: request in, page out."""

from sqlalchemy import Connection
from tradepost.notification.v1 import notification_service_pb2 as pb
from tradepost.notification.v1 import notification_service_pb2_grpc

from services.chassis.consumer.inbox import Inbox
from services.chassis.request import ownership
from services.chassis.request.context import Context
from services.chassis.store.database import Database
from services.notification.domain.queries import NotificationFilter
from services.notification.domain.state import Notification
from services.notification.store.notification_listing import list_notifications, with_deliveries
from services.notification.wire import queries, replies


class NotificationServicer(notification_service_pb2_grpc.NotificationServiceServicer):
    """Serves tradepost.notification.v1.NotificationService.

    `inbox` knows how much of the order feed has been applied.
    """

    def __init__(self, *, database: Database, inbox: Inbox) -> None:
        self._database = database
        self._inbox = inbox

    async def ListNotifications(
        self, request: pb.ListNotificationsRequest, context: Context
    ) -> pb.ListNotificationsResponse:
        """List notifications, the oldest first."""
        wanted = queries.to_filter(request)
        rows, order_position = await self._database.read(self._list, wanted)
        page = queries.to_page(request, wanted, rows)
        return replies.to_notification_page(page, order_position)

    def _list(
        self, connection: Connection, wanted: NotificationFilter
    ) -> tuple[tuple[Notification, ...], int]:
        """Read the rows and the feed's position in one transaction, so that they agree.

        Customers don't learn what the mail server said: it tells of the inside.
        """
        reached = self._inbox.reached(connection)
        rows = list_notifications(connection, wanted)
        if not ownership.is_limited():
            rows = with_deliveries(connection, rows)
        return rows, 0 if reached is None else reached.position
