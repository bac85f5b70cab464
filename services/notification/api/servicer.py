"""The RPC: request in, page out."""

from sqlalchemy import Connection
from tradepost.notification.v1 import notification_service_pb2 as pb
from tradepost.notification.v1 import notification_service_pb2_grpc

from services.chassis.consumer.inbox import Inbox
from services.chassis.request.context import Context
from services.chassis.store.database import Database
from services.notification.domain.rules import Notification
from services.notification.store import notifications
from services.notification.store.notifications import NotificationFilter
from services.notification.wire import queries


class NotificationServicer(notification_service_pb2_grpc.NotificationServiceServicer):
    """Serves tradepost.notification.v1.NotificationService."""

    def __init__(self, *, database: Database, inbox: Inbox) -> None:
        self._database = database
        self._inbox = inbox

    async def ListNotifications(
        self, request: pb.ListNotificationsRequest, context: Context
    ) -> pb.ListNotificationsResponse:
        """List notifications, the oldest first."""
        wanted = queries.to_filter(request)
        found, order_position = await self._database.read(self._find, wanted)
        return queries.to_page(request, wanted, found, order_position)

    def _find(
        self, connection: Connection, wanted: NotificationFilter
    ) -> tuple[tuple[Notification, ...], int]:
        place = self._inbox.reached(connection)
        return notifications.page(connection, wanted), 0 if place is None else place.position
