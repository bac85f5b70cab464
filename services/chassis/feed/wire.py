"""Validates requests for a feed, converts them to queries, and converts events to messages."""

from datetime import timedelta

from google.protobuf.any_pb2 import Any
from tradepost.event.v1 import event_pb2
from tradepost.event.v1 import event_service_pb2 as pb

from services.chassis.feed.feed_contents import FeedContents
from services.chassis.feed.feed_page import FeedExtent, FeedPage, FeedQuery
from services.chassis.log.event_log import StoredEvent
from services.chassis.request.pages import MAX_PAGE_SIZE, check_page_size
from services.chassis.request.validation import MAX_INT64, Check
from services.chassis.request.wire_values import to_timestamp

DEFAULT_BATCH = 100
MAX_TYPES = 100
MAX_NAME_CHARACTERS = 200
# A longer time would delay a heartbeat.
MAX_GATHER = timedelta(seconds=1)

_TYPE_URL_PREFIX = "type.googleapis.com/"


def to_page_query(request: pb.ReadEventsRequest, contents: FeedContents) -> FeedQuery:
    """Convert a request for one page of a feed. Raises InvalidRequestError."""
    check = Check()
    _check_position(check, request.after_position)
    types = _types(check, request, contents)
    aggregate_id = check.text(
        "aggregate_id",
        request.aggregate_id,
        max_len=MAX_NAME_CHARACTERS,
        required=request.HasField("aggregate_id"),
    )
    size = check_page_size(check, request.page_size)
    check.done()
    return FeedQuery(
        after_position=request.after_position,
        limit=size,
        types=types,
        aggregate_id=aggregate_id,
    )


def to_subscription_query(request: pb.SubscribeEventsRequest, contents: FeedContents) -> FeedQuery:
    """Convert a request for a stream of a feed. Raises InvalidRequestError.

    Batches hold at most `max_batch` events: 100 if it is unset, and never more than 1,000.
    """
    check = Check()
    check.text("consumer", request.consumer, max_len=MAX_NAME_CHARACTERS, required=False)
    epoch = check.text("epoch", request.epoch, max_len=MAX_NAME_CHARACTERS, required=False)
    _check_position(check, request.after_position)
    types = _types(check, request, contents)
    after_event_id = check.text(
        "after_event_id", request.after_event_id, max_len=MAX_NAME_CHARACTERS, required=False
    )
    check.that(request.max_batch >= 0, "max_batch", "must not be negative")
    topic = check.text("topic", request.topic, max_len=MAX_NAME_CHARACTERS, required=False)
    if check.is_good("topic") and not request.allow_unknown:
        contents.check_topic(check, topic)
    gather = check.duration(
        "gather",
        request.gather,
        present=request.HasField("gather"),
        minimum=timedelta(),
        maximum=MAX_GATHER,
    )
    check.done()
    return FeedQuery(
        after_position=request.after_position,
        limit=min(request.max_batch or DEFAULT_BATCH, MAX_PAGE_SIZE),
        epoch=epoch,
        after_event_id=after_event_id,
        types=types,
        topic=topic,
        gather_s=0.0 if gather is None else gather.total_seconds(),
    )


def to_event(stored: StoredEvent, *, feed: str, epoch: str, aggregate_type: str) -> event_pb2.Event:
    """Convert an event to the message that every reader of the feed `feed` gets."""
    return event_pb2.Event(
        event_id=stored.event_id,
        feed=feed,
        epoch=epoch,
        position=stored.position,
        aggregate_type=aggregate_type,
        aggregate_id=stored.stream,
        aggregate_version=stored.version,
        type=stored.type,
        occur_time=to_timestamp(stored.occur_time),
        correlation_id=stored.correlation_id,
        causation_id=stored.causation_id,
        traceparent=stored.traceparent,
        topic=stored.topic,
        actor=stored.actor,
        instance_id=stored.instance_id,
        payload=Any(type_url=_TYPE_URL_PREFIX + stored.type, value=stored.payload),
    )


def to_feed(feed: str, extent: FeedExtent) -> pb.GetFeedResponse:
    """Convert the extent of a feed."""
    return pb.GetFeedResponse(
        feed=feed,
        epoch=extent.epoch,
        oldest_position=extent.oldest,
        head_position=extent.head,
    )


def to_heartbeat(page: FeedPage) -> pb.SubscribeEventsResponse:
    """A heartbeat that says how far the subscription got."""
    return pb.SubscribeEventsResponse(
        heartbeat=pb.Heartbeat(
            position=page.next_position, head=page.head, event_id=page.next_event_id
        )
    )


def _check_position(check: Check, position: int) -> None:
    check.integer("after_position", position, minimum=0, maximum=MAX_INT64)


def _types(
    check: Check,
    request: pb.ReadEventsRequest | pb.SubscribeEventsRequest,
    contents: FeedContents,
) -> tuple[str, ...]:
    check.that(len(request.types) <= MAX_TYPES, "types", f"must be at most {MAX_TYPES}")
    fields = [f"types[{index}]" for index in range(min(len(request.types), MAX_TYPES))]
    for field, name in zip(fields, request.types, strict=False):
        check.text(field, name, max_len=MAX_NAME_CHARACTERS)
    if check.is_good("types", *fields) and not request.allow_unknown:
        contents.check_types(check, request.types)
    return tuple(dict.fromkeys(request.types[:MAX_TYPES]))
