"""What the layers of the server stack are made of: one shape for all four kinds of handler.

A layer wraps a behavior in a behavior. What it needs to know of the kind is whether the response
streams: then the behavior answers an async iterator, otherwise an awaitable. What a layer raises
before it answers either, the layer above catches all the same, so a layer that only acts before
the call is one plain function for all kinds.
"""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import grpc

from services.chassis.request.context import Context

Behavior: TypeAlias = Callable[[Any, Context], Any]
if TYPE_CHECKING:  # generic in its stubs only
    Handler: TypeAlias = grpc.RpcMethodHandler[Any, Any]
else:
    Handler = grpc.RpcMethodHandler

# What the interceptor was told of the call that runs in this context. Asking the call's own context
# again copies all of it out of C-core a second time: 19 us, more than the whole stack costs.
INVOCATION_METADATA: ContextVar[Sequence[tuple[str, str | bytes]]] = ContextVar(
    "tradepost_invocation_metadata", default=()
)

# Health, reflection and channelz: gRPC's own services, served by every server.
INFRASTRUCTURE_PREFIX = "/grpc."


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC: its full path ("/tradepost.order.v1.OrderService/GetOrder"), kind and codecs."""

    path: str
    request_streaming: bool
    response_streaming: bool
    deserialize: Callable[[bytes], Any]
    serialize: Callable[[Any], bytes]

    @property
    def is_infrastructure(self) -> bool:
        """Whether it belongs to gRPC itself."""
        return self.path.startswith(INFRASTRUCTURE_PREFIX)


class Layer(Protocol):
    """Wraps the behavior below; called once per method, not once per call."""

    def __call__(self, method: Method, inner: Behavior) -> Behavior:
        """Answer the behavior that stands above `inner`."""
        ...
