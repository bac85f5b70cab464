"""How a call ended, asked the same way of all four kinds.

Every call of ours can name "what knows": the attempt that ended it, or, where no attempt did, a
snapshot of a status (an AioRpcError is one, of code OK too).
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import grpc

# In the words of grpc.aio.
CANCELLED_DETAILS = "Locally cancelled by application!"


class Ending(Protocol):
    """A call that can say what knows how it ended, once it has."""

    async def _known(self) -> grpc.aio.Call | grpc.aio.AioRpcError: ...


async def code(self: Ending) -> grpc.StatusCode:
    """The status code the RPC ended with."""
    known = await self._known()
    return known.code() if isinstance(known, grpc.aio.AioRpcError) else await known.code()


async def details(self: Ending) -> str:
    """The status details the RPC ended with."""
    known = await self._known()
    if isinstance(known, grpc.aio.AioRpcError):
        return known.details() or ""
    return await known.details()


async def debug_error_string(self: Ending) -> str:
    """What C-core has to say about an error; empty without one."""
    known: Any = await self._known()
    if isinstance(known, grpc.aio.AioRpcError):
        return known.debug_error_string() or ""
    # In every grpc.aio call, but not in the interface.
    return await known.debug_error_string() or ""


async def initial_metadata(self: Ending) -> grpc.aio.Metadata:
    """The initial metadata of the attempt that ended the call."""
    known = await self._known()
    if isinstance(known, grpc.aio.AioRpcError):
        return known.initial_metadata() or grpc.aio.Metadata()
    return await known.initial_metadata()


async def trailing_metadata(self: Ending) -> grpc.aio.Metadata:
    """The trailing metadata of the attempt that ended the call."""
    known = await self._known()
    if isinstance(known, grpc.aio.AioRpcError):
        return known.trailing_metadata() or grpc.aio.Metadata()
    return await known.trailing_metadata()


def snapshot(status_code: grpc.StatusCode, text: str = "") -> grpc.aio.AioRpcError:
    """The status of a call that no attempt ended."""
    empty = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(status_code, empty, empty, text, text)


def cancelled() -> grpc.aio.AioRpcError:
    """The status of a call cancelled on this side."""
    return snapshot(grpc.StatusCode.CANCELLED, CANCELLED_DETAILS)


def cancel_collected(cancel: Callable[[], object], loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what was collected unfinished, on its loop: the collector may run in any thread."""
    if loop.is_closed():
        return
    try:
        same_thread = asyncio.get_running_loop() is loop
    except RuntimeError:
        same_thread = False
    if same_thread:
        cancel()
    else:
        loop.call_soon_threadsafe(cancel)
