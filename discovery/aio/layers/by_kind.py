"""Builds a layer from its two halves: one for unary calls, one for streams."""

from collections.abc import Callable
from typing import cast

from discovery.aio.sent import AioLayer, Sent, StreamSend, UnarySend
from discovery.call.stack_building import Send
from discovery.rules.method import Kind, Method


def by_kind(
    unary: Callable[[Method, UnarySend], UnarySend],
    stream: Callable[[Method, StreamSend], StreamSend],
) -> AioLayer:
    """A layer that differs between unary calls and streams, whichever way these go."""

    def build(method: Method, below: Send[Sent]) -> Send[Sent]:
        if method.kind is Kind.UNARY_UNARY:
            return unary(method, cast("UnarySend", below))
        return stream(method, cast("StreamSend", below))

    return build


def no_layer(_method: Method, below: Send[Sent]) -> Send[Sent]:
    """The layer of a feature that isn't configured: calls don't pass it at all."""
    return below
