"""What a synchronous program can observe of a call, for comparisons with grpc."""

import re
from collections.abc import Callable
from typing import Any

import grpc

from tests.support.discovery.dropin.comparison import unwrapped
from tests.support.discovery.dropin.scripted_server import ScriptedServer, path

# A program: takes a channel and a server, and returns what it observed.
Program = Callable[[Any, ScriptedServer], Any]
Alike = Callable[[Program], None]
METADATA = (("initial-a", "1"), ("trailing-a", "2"), ("trailing-bin", b"\0"))
_VARIES = re.compile(r"127\.0\.0\.1:\d+")


def outcome(function: Callable[[], Any]) -> Any:
    """The value that a function returns, or the content of the exception it raises."""
    try:
        return function()
    except grpc.RpcError as error:
        return status(error)
    except StopIteration:
        return "StopIteration"
    except (grpc.FutureCancelledError, grpc.FutureTimeoutError, ValueError) as error:
        return type(error).__name__, str(error)


def status(call: Any) -> tuple[Any, ...]:
    """The status of a call, or of an error that is a call."""
    # grpc has no debug text for a call that was cancelled on this side.
    debug = "" if call.code() is grpc.StatusCode.CANCELLED else call.debug_error_string()
    return (
        isinstance(call, grpc.RpcError),
        call.code(),
        unwrapped(call.details()),
        pairs(call.initial_metadata()),
        pairs(call.trailing_metadata()),
        _VARIES.sub("~", unwrapped(debug) or ""),
        call.is_active() if not isinstance(call, grpc.RpcError) else None,
    )


def pairs(metadata: Any) -> list[tuple[str, Any]]:
    """Metadata as ordered pairs."""
    return [tuple(pair) for pair in metadata or ()]


def all_of(channel: Any, kind: str, method: str, request: Any, **options: Any) -> Any:
    """The response or responses of a call, and its status."""
    multicallable = getattr(channel, kind)(path(method))
    if kind.endswith("unary"):
        response, call = multicallable.with_call(request, **options)
        return response, status(call)[1:]
    call = multicallable(request, **options)
    return list(call), status(call)[1:]
