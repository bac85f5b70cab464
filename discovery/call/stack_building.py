"""The shape of a stack's layers, and how a method's stack is built from them.

A driver defines `SentT`: what its stack returns for a call.
"""

from collections.abc import Sequence
from typing import Never, Protocol, TypeVar

from discovery.call.call_state import CallState
from discovery.rules.method import Method

SentT = TypeVar("SentT")
SentT_co = TypeVar("SentT_co", covariant=True)


class Send(Protocol[SentT_co]):
    """Sends a call down the rest of the stack."""

    def __call__(self, call: CallState, /) -> SentT_co: ...


class Layer(Protocol[SentT]):
    """Builds one layer of one method's stack on top of the layers below."""

    def __call__(self, method: Method, below: Send[SentT], /) -> Send[SentT]: ...


def compose(layers: Sequence[Layer[SentT]], method: Method) -> Send[SentT]:
    """Build one method's stack from the layers, which are listed from top to bottom."""
    send: Send[SentT] = _nothing_below
    for layer in reversed(layers):
        send = layer(method, send)
    return send


def _nothing_below(_call: CallState) -> Never:
    raise RuntimeError("the last layer of a stack has nothing below it")
