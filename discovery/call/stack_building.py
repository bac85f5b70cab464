"""The shape of a stack's layers, and how a method's stack is built from them.

A driver defines `SentT`: what its stack returns for a call.
"""

from collections.abc import Sequence
from typing import Generic, Never, Protocol, TypeVar

from discovery.call.call_state import CallState
from discovery.config.method_config import method_of
from discovery.config.service_config import ServiceConfig
from discovery.rules.method import Kind, Method

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


class StackTable(Generic[SentT]):
    """The methods of one channel and their stacks: each is made once, for all calls.

    A method's calls share what is measured of it.
    """

    def __init__(self, config: ServiceConfig, layers: Sequence[Layer[SentT]]) -> None:
        self._config = config
        self._layers = layers
        self.methods: dict[tuple[str, Kind], Method] = {}
        self._stacks: dict[tuple[str, Kind], Send[SentT]] = {}

    def method(self, path: str, kind: Kind, *, registered: bool) -> Method:
        """Return the method; `registered`: a generated stub names it."""
        known = self.methods.get((path, kind))
        if known is None:
            known = method_of(self._config, path, kind, registered=registered)
            self.methods[path, kind] = known
        return known

    def stack(self, path: str, like: Method) -> Send[SentT]:
        """Return the stack of the method at `path`, of the same kind as `like`."""
        known = self._stacks.get((path, like.kind))
        if known is None:
            method = self.method(path, like.kind, registered=like.registered)
            known = self._stacks[path, like.kind] = compose(self._layers, method)
        return known


def _nothing_below(_call: CallState) -> Never:
    raise RuntimeError("the last layer of a stack has nothing below it")
