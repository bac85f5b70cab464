"""Lists the consumers of a service with their positions, and rewinds one, for operators."""

import asyncio
from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection
from tradepost.event.v1 import event_pb2
from tradepost.event.v1 import event_service_pb2 as pb

from services.chassis.consumer.errors import ConsumerNotFoundError, FeedUnreachableError
from services.chassis.consumer.feed_stream import REWIND_TIMEOUT_S
from services.chassis.consumer.inbox import ConsumerPosition
from services.chassis.consumer.subscription import Subscription
from services.chassis.feed.errors import PositionAheadOfHeadError, PositionTruncatedError
from services.chassis.feed.wire import MAX_NAME_CHARACTERS
from services.chassis.log.audit_log import AuditedWrites
from services.chassis.request.idempotent_writes import StoredResponse
from services.chassis.request.validation import MAX_INT64, Check
from services.chassis.store.database import Database


class ConsumerAdmin:
    """Lists and rewinds the subscriptions of one service, whichever instance runs them.

    A rewind is one write: it moves the consumer back and takes its lease away. It needs no
    contact with the instance that holds the lease, because that instance can no longer write.
    """

    def __init__(
        self,
        *,
        database: Database,
        subscriptions: Sequence[Subscription],
        audited: AuditedWrites,
    ) -> None:
        self._database = database
        self._by_name = {each.inbox.consumer: each for each in subscriptions}
        self._audited = audited

    async def list(self) -> pb.ListSubscriptionsResponse:
        """All consumers, read in one snapshot, and then the heads of their feeds."""
        listed = await self._database.read(self._list)
        heads = await asyncio.gather(
            *(self._by_name[each.consumer].head() for each in listed.subscriptions)
        )
        for each, feed in zip(listed.subscriptions, heads, strict=True):
            if feed is not None:
                _add_lag(each, feed)
        return listed

    async def rewind(self, request: pb.RewindSubscriptionRequest) -> StoredResponse:
        """Move a consumer back to an earlier position, at most to the head of its feed.

        A restored feed may be shorter than before; above its head, events would be skipped as it
        grows, and above the head that it was restored to, those that it has got since. Raises
        InvalidRequestError, RequestIdReusedError, ConsumerNotFoundError, PositionNotReachedError,
        PositionAheadOfHeadError, PositionTruncatedError and FeedUnreachableError.
        """
        check = Check()
        request_id = check.uuid("request_id", request.request_id)
        check.text("consumer", request.consumer, max_len=MAX_NAME_CHARACTERS)
        check.integer("after_position", request.after_position, minimum=0, maximum=MAX_INT64)
        check.reason(request.reason)
        check.done()
        subscription = self._by_name.get(request.consumer)
        feed = None
        # 0 is below every head.
        if subscription is not None and request.after_position > 0:
            feed = await subscription.head(REWIND_TIMEOUT_S)
        rewind = partial(self._rewind, request=request, feed=feed)
        return await self._audited(request_id, request, rewind)

    def _list(self, connection: Connection) -> pb.ListSubscriptionsResponse:
        return pb.ListSubscriptionsResponse(
            subscriptions=[
                _to_message(
                    name,
                    subscription.inbox.reached(connection),
                    owner=subscription.lease.owner(connection),
                )
                for name, subscription in sorted(self._by_name.items())
            ]
        )

    def _rewind(
        self,
        connection: Connection,
        *,
        request: pb.RewindSubscriptionRequest,
        feed: pb.GetFeedResponse | None,
    ) -> StoredResponse:
        subscription = self._by_name.get(request.consumer)
        if subscription is None:
            raise ConsumerNotFoundError(request.consumer, self._by_name)
        former = subscription.rewind(connection, request.after_position)
        if former is not None and request.after_position:
            _check_extent(request, feed, former)
        response = pb.RewindSubscriptionResponse(rewound_from=_to_message(request.consumer, former))
        return StoredResponse(response.SerializeToString())


def _check_extent(
    request: pb.RewindSubscriptionRequest,
    feed: pb.GetFeedResponse | None,
    former: ConsumerPosition,
) -> None:
    """Refuse a position that the feed doesn't have, or that it hadn't when it was restored."""
    if feed is None:
        raise FeedUnreachableError(request.consumer)
    if request.after_position < feed.oldest_position - 1:
        raise PositionTruncatedError(
            after_position=request.after_position, oldest_position=feed.oldest_position
        )
    head, restored = feed.head_position, former.restored_head
    lowest = head if restored is None else min(head, restored)
    if request.after_position > lowest:
        raise PositionAheadOfHeadError(after_position=request.after_position, head_position=lowest)


def _add_lag(subscription: event_pb2.Subscription, feed: pb.GetFeedResponse) -> None:
    """Say which feed it is and how far ahead; positions of another epoch can't be compared."""
    subscription.feed = feed.feed
    subscription.head_position = feed.head_position
    if subscription.epoch in ("", feed.epoch):
        subscription.lag_count = max(0, feed.head_position - subscription.position)


def _to_message(
    consumer: str, reached: ConsumerPosition | None, *, owner: str = ""
) -> event_pb2.Subscription:
    if reached is None:
        return event_pb2.Subscription(consumer=consumer, owner=owner)
    return event_pb2.Subscription(
        consumer=consumer,
        owner=owner,
        epoch=reached.epoch,
        position=reached.position,
        event_id=reached.event_id,
        refusal=reached.refusal,
    )
