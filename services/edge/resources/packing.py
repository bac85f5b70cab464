"""Typed configuration as Envoy wants it inside other messages: packed into an Any."""

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message


def packed(message: Message) -> AnyMessage:
    """Pack a message; the same message gives the same bytes."""
    wrapped = AnyMessage()
    wrapped.Pack(message, deterministic=True)
    return wrapped


def seconds(value: float) -> Duration:
    """Return a duration of so many seconds."""
    duration = Duration()
    duration.FromNanoseconds(round(value * 1e9))
    return duration
