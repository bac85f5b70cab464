"""Typed configuration as Envoy wants it inside other messages: packed into an Any."""

from envoy.config.route.v3 import route_components_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message


def packed(message: Message) -> AnyMessage:
    """Pack a message; the same message gives the same bytes."""
    wrapped = AnyMessage()
    wrapped.Pack(message, deterministic=True)
    return wrapped


def turned_on() -> AnyMessage:
    """Return what a route says that turns on a filter, with the settings that the filter has."""
    return packed(route_components_pb2.FilterConfig(config=AnyMessage()))


def seconds(value: float) -> Duration:
    """Return a duration of so many seconds."""
    duration = Duration()
    duration.FromNanoseconds(round(value * 1e9))
    return duration
