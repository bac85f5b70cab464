"""The event feed that every service has in its contract; this version does not serve it yet."""

from collections.abc import AsyncIterator
from typing import NoReturn

import grpc
from google.protobuf.message import Message
from tradepost.event.v1 import event_service_pb2, event_service_pb2_grpc

from services.chassis.errors import NotImplementedYetError
from services.chassis.layer import Context

SERVICE_NAMES = tuple(
    event_service_pb2.DESCRIPTOR.services_by_name[name].full_name
    for name in ("EventFeedService", "DeadLetterService")
)


class EventFeedServicer(event_service_pb2_grpc.EventFeedServiceServicer):
    """Answers every method with UNIMPLEMENTED, reason NOT_IMPLEMENTED."""

    async def ReadEvents(self, request: Message, context: Context) -> NoReturn:
        raise NotImplementedYetError("EventFeedService.ReadEvents")

    async def SubscribeEvents(
        self, request: Message, context: Context
    ) -> AsyncIterator[event_service_pb2.SubscribeEventsResponse]:
        raise NotImplementedYetError("EventFeedService.SubscribeEvents")
        yield event_service_pb2.SubscribeEventsResponse()  # type: ignore[unreachable]

    async def GetFeed(self, request: Message, context: Context) -> NoReturn:
        raise NotImplementedYetError("EventFeedService.GetFeed")


class DeadLetterServicer(event_service_pb2_grpc.DeadLetterServiceServicer):
    """Answers every method with UNIMPLEMENTED, reason NOT_IMPLEMENTED."""

    async def ListDeadLetters(self, request: Message, context: Context) -> NoReturn:
        raise NotImplementedYetError("DeadLetterService.ListDeadLetters")

    async def ReplayDeadLetters(self, request: Message, context: Context) -> NoReturn:
        raise NotImplementedYetError("DeadLetterService.ReplayDeadLetters")

    async def DiscardDeadLetter(self, request: Message, context: Context) -> NoReturn:
        raise NotImplementedYetError("DeadLetterService.DiscardDeadLetter")


def add_to_server(server: grpc.aio.Server) -> None:
    """Serve both services of the feed."""
    event_service_pb2_grpc.add_EventFeedServiceServicer_to_server(EventFeedServicer(), server)
    event_service_pb2_grpc.add_DeadLetterServiceServicer_to_server(DeadLetterServicer(), server)
