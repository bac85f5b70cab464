"""What surrounds the payload of an event is never larger than a page counts for it."""

import uuid
from datetime import UTC, datetime

import pytest

from services.chassis.feed.feed_contents import FeedContents
from services.chassis.feed.feed_page import _ENVELOPE_BYTES, _NAME_BYTES, _TYPE_BYTES
from services.chassis.feed.wire import to_event
from services.chassis.identity.caller import Caller
from services.chassis.identity.tokens import MAX_NAME_CHARACTERS
from services.chassis.log.event_log import StoredEvent
from services.chassis.request.answer_size import ANSWER_BYTES_MAX
from services.chassis.request.validation import MAX_INT64
from services.chassis.server.layers.trace import _MAX_CORRELATION_ID_CHARACTERS
from services.inventory.service import CONTENTS as INVENTORY
from services.inventory.wire.events import item_stream
from services.order.service import CONTENTS as ORDER
from services.payment.service import CONTENTS as PAYMENT

_NAME = "n" * _NAME_BYTES
_AN_ID = "evt_" + "f" * 32
_MAX_INT32 = 2**31 - 1


def largest(payload: bytes) -> StoredEvent:
    """An event of which each part has the most that a call and a service can give it."""
    return StoredEvent(
        position=MAX_INT64,
        event_id=_AN_ID,
        stream=item_stream("x" * 64),
        version=_MAX_INT32,
        type="t" * _TYPE_BYTES,
        payload=payload,
        occur_time=datetime.max.replace(tzinfo=UTC),
        correlation_id="c" * _MAX_CORRELATION_ID_CHARACTERS,
        causation_id=str(uuid.UUID(int=1, version=4)),
        traceparent=f"00-{'a' * 32}-{'b' * 16}-01",
        topic=_NAME,
        actor=Caller(subject="s" * MAX_NAME_CHARACTERS).actor,
    )


@pytest.mark.parametrize("payload_bytes", [0, 1, 1_000, ANSWER_BYTES_MAX])
def test_the_largest_envelope_fits_into_what_a_page_counts(payload_bytes: int) -> None:
    """The whole message has at most so many bytes more than its payload."""
    event = largest(b"x" * payload_bytes)
    message = to_event(event, feed=_NAME, epoch=_AN_ID, aggregate_type=_NAME)
    assert message.ByteSize() - payload_bytes <= _ENVELOPE_BYTES


@pytest.mark.parametrize("contents", [ORDER, PAYMENT, INVENTORY], ids=lambda each: each.name)
def test_the_names_of_every_feed_are_within_the_limits(contents: FeedContents) -> None:
    """No feed has a type, a topic or a name of its own that is longer than a page counts."""
    assert max(map(len, contents.types)) <= _TYPE_BYTES
    assert max(map(len, (contents.name, *contents.topics))) <= _NAME_BYTES
