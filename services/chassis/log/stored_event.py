"""Events before and after they are in the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.chassis.store.micros import from_micros


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append: `type` is the full name of the protobuf message in `payload`.

    `topic` lets consumers follow only the events of one topic; "" is no topic.
    """

    type: str
    payload: bytes
    topic: str = ""


@dataclass(frozen=True, slots=True)
class StreamAppend:
    """Events to append to one stream, whose current version must be `expected_version`."""

    stream: str
    expected_version: int
    events: Sequence[NewEvent]


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event in the log: `position` counts all events, `version` those of its stream.

    `actor` says who recorded it ("person:alice", "service:order"); "" is nobody that is known.
    `instance_id` says where; "" is an instance that is not known.
    """

    position: int
    event_id: str
    stream: str
    version: int
    type: str
    payload: bytes
    occur_time: datetime
    correlation_id: str
    causation_id: str
    traceparent: str
    topic: str = ""
    actor: str = ""
    instance_id: str = ""


def stored_event(row: Sequence[Any]) -> StoredEvent:
    """Convert a row of `select(EVENT)`, a tuple of the driver or a row of SQLAlchemy."""
    position, event_id, stream, version, type_, payload, occur_micros, *origin = row
    occur_time = from_micros(occur_micros)
    return StoredEvent(position, event_id, stream, version, type_, payload, occur_time, *origin)
