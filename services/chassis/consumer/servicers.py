"""Serves how operators inspect and repair the consumers of a service, and their dead letters."""

from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1 import event_service_pb2_grpc

from services.chassis.consumer.consumer_admin import ConsumerAdmin
from services.chassis.consumer.dead_letter_admin import DeadLetterAdmin
from services.chassis.request.context import Context
from services.chassis.request.errors import NotImplementedYetError
from services.chassis.request.idempotency import REPLAYED_KEY
from services.chassis.request.idempotent_writes import StoredResponse

SERVICE_NAMES = tuple(
    pb.DESCRIPTOR.services_by_name[name].full_name
    for name in ("DeadLetterService", "SubscriptionService")
)


class DeadLetterServicer(event_service_pb2_grpc.DeadLetterServiceServicer):
    """Serves tradepost.event.v1.DeadLetterService, where the service consumes a feed."""

    def __init__(self, letters: DeadLetterAdmin | None) -> None:
        self._served = letters

    async def ListDeadLetters(
        self, request: pb.ListDeadLettersRequest, context: Context
    ) -> pb.ListDeadLettersResponse:
        """Parked events, the first parked first."""
        return await self._letters("ListDeadLetters").list(request)

    async def ReplayDeadLetters(
        self, request: pb.ReplayDeadLettersRequest, context: Context
    ) -> pb.ReplayDeadLettersResponse:
        """Apply the parked events of one aggregate."""
        done = await self._letters("ReplayDeadLetters").replay(request)
        _tell_replayed(done, context)
        return pb.ReplayDeadLettersResponse.FromString(done.response)

    async def DiscardDeadLetter(
        self, request: pb.DiscardDeadLetterRequest, context: Context
    ) -> pb.DiscardDeadLetterResponse:
        """Give one parked event up."""
        done = await self._letters("DiscardDeadLetter").discard(request)
        _tell_replayed(done, context)
        return pb.DiscardDeadLetterResponse.FromString(done.response)

    def _letters(self, method: str) -> DeadLetterAdmin:
        if self._served is None:
            raise NotImplementedYetError(f"DeadLetterService.{method}")
        return self._served


class SubscriptionServicer(event_service_pb2_grpc.SubscriptionServiceServicer):
    """Serves tradepost.event.v1.SubscriptionService, where the service consumes a feed."""

    def __init__(self, consumers: ConsumerAdmin | None) -> None:
        self._served = consumers

    async def ListSubscriptions(
        self, request: pb.ListSubscriptionsRequest, context: Context
    ) -> pb.ListSubscriptionsResponse:
        """Every consumer, and where it stands."""
        return await self._consumers("ListSubscriptions").list()

    async def RewindSubscription(
        self, request: pb.RewindSubscriptionRequest, context: Context
    ) -> pb.RewindSubscriptionResponse:
        """Have a consumer go through its feed once more."""
        done = await self._consumers("RewindSubscription").rewind(request)
        _tell_replayed(done, context)
        return pb.RewindSubscriptionResponse.FromString(done.response)

    def _consumers(self, method: str) -> ConsumerAdmin:
        if self._served is None:
            raise NotImplementedYetError(f"SubscriptionService.{method}")
        return self._served


def _tell_replayed(done: StoredResponse, context: Context) -> None:
    if done.replayed:
        context.set_trailing_metadata(((REPLAYED_KEY, "true"),))
