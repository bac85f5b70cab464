"""How a call ended, asked the same way of all four kinds.

Every call of ours can name "what knows": the attempt that ended it, or, where no attempt did, a
snapshot of a status (an AioRpcError is one, of code OK too).
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

import grpc

T = TypeVar("T")

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


async def debug_error_string(self: Ending) -> str | None:
    """What C-core has to say about an error; None where it wasn't asked."""
    known: Any = await self._known()
    if isinstance(known, grpc.aio.AioRpcError):
        return known.debug_error_string()
    # In every grpc.aio call, but not in the interface.
    told: str | None = await known.debug_error_string()
    return told


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


def text(call: Any, *, over: bool) -> str:
    """A call for logs and debuggers, as grpc.aio writes an error; `over`: it has ended."""
    name = type(call).__name__
    if not over:
        return f"<{name} object>"
    try:
        ended = [at_once(call.code()), at_once(call.details()), at_once(call.debug_error_string())]
    except Exception:  # noqa: BLE001 - ended in something that is no status
        return f"<{name} object>"
    return (
        f"<{name} of RPC that terminated with:\n"
        f"\tstatus = {ended[0]}\n"
        f'\tdetails = "{ended[1]}"\n'
        f'\tdebug_error_string = "{ended[2]}"\n'
        ">"
    )


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that doesn't wait; those of an ended grpc.aio call don't."""
    try:
        coroutine.send(None)
    except StopIteration as returned:
        result: T = returned.value
        return result
    coroutine.close()
    raise RuntimeError("the coroutine waits: the call has not ended")


def snapshot(
    status_code: grpc.StatusCode, text: str = "", debug: str | None = ""
) -> grpc.aio.AioRpcError:
    """The status of a call that no attempt ended."""
    empty = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(status_code, empty, empty, text, debug)


def cancelled() -> grpc.aio.AioRpcError:
    """The status of a call cancelled on this side."""
    return snapshot(grpc.StatusCode.CANCELLED, CANCELLED_DETAILS, None)


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
