"""Serves DeadLetterService and SubscriptionService, with which operators repair consumers."""

from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1 import event_service_pb2_grpc

from services.chassis.consumer.consumer_admin import ConsumerAdmin
from services.chassis.consumer.dead_letter_admin import DeadLetterAdmin
from services.chassis.request.context import Context
from services.chassis.request.errors import NotImplementedYetError
from services.chassis.request.idempotent_writes import StoredResponse
from services.chassis.request.request_ids import mark_replayed

SERVICE_NAMES = tuple(
    pb.DESCRIPTOR.services_by_name[name].full_name
    for name in ("DeadLetterService", "SubscriptionService")
)


class DeadLetterServicer(event_service_pb2_grpc.DeadLetterServiceServicer):
    """Serves DeadLetterService; a service without consumers answers UNIMPLEMENTED."""

    def __init__(self, admin: DeadLetterAdmin | None) -> None:
        self._served = admin

    async def ListDeadLetters(
        self, request: pb.ListDeadLettersRequest, context: Context
    ) -> pb.ListDeadLettersResponse:
        """List parked events in the order in which they were parked."""
        return await self._admin("ListDeadLetters").list(request)

    async def ReplayDeadLetters(
        self, request: pb.ReplayDeadLettersRequest, context: Context
    ) -> pb.ReplayDeadLettersResponse:
        """Apply the parked events of one aggregate."""
        done = await self._admin("ReplayDeadLetters").replay(request)
        _mark_replayed(done, context)
        return pb.ReplayDeadLettersResponse.FromString(done.response)

    async def DiscardDeadLetter(
        self, request: pb.DiscardDeadLetterRequest, context: Context
    ) -> pb.DiscardDeadLetterResponse:
        """Discard one parked event for good."""
        done = await self._admin("DiscardDeadLetter").discard(request)
        _mark_replayed(done, context)
        return pb.DiscardDeadLetterResponse.FromString(done.response)

    def _admin(self, method: str) -> DeadLetterAdmin:
        if self._served is None:
            raise NotImplementedYetError(f"DeadLetterService.{method}")
        return self._served


class SubscriptionServicer(event_service_pb2_grpc.SubscriptionServiceServicer):
    """Serves SubscriptionService; a service without consumers answers UNIMPLEMENTED."""

    def __init__(self, admin: ConsumerAdmin | None) -> None:
        self._served = admin

    async def ListSubscriptions(
        self, request: pb.ListSubscriptionsRequest, context: Context
    ) -> pb.ListSubscriptionsResponse:
        """List all consumers with their positions."""
        return await self._admin("ListSubscriptions").list()

    async def RewindSubscription(
        self, request: pb.RewindSubscriptionRequest, context: Context
    ) -> pb.RewindSubscriptionResponse:
        """Move a consumer back, so that it reads its feed again from there."""
        done = await self._admin("RewindSubscription").rewind(request)
        _mark_replayed(done, context)
        return pb.RewindSubscriptionResponse.FromString(done.response)

    def _admin(self, method: str) -> ConsumerAdmin:
        if self._served is None:
            raise NotImplementedYetError(f"SubscriptionService.{method}")
        return self._served


def _mark_replayed(done: StoredResponse, context: Context) -> None:
    if done.replayed:
        mark_replayed(context)
