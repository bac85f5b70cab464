"""Status and metadata of a finished call, by the same functions for all four kinds.

Every call has `_known()`: it returns what has the status, which is the attempt that ended the call,
or an AioRpcError as a snapshot of the status (also of code OK) where no attempt ended it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import grpc

from discovery.aio.waiting_calls import keep

T = TypeVar("T")

# The words of grpc.aio.
CANCELLED_DETAILS = "Locally cancelled by application!"
_UNSENT_DETAILS = "Internal error from Core"


class FinishedCall(Protocol):
    """A call that waits for its end and returns what has its status."""

    async def _known(self) -> grpc.aio.Call | grpc.aio.AioRpcError: ...


async def code(self: FinishedCall) -> grpc.StatusCode:
    """Return the status code the RPC ended with."""
    known = await self._known()
    return known.code() if isinstance(known, grpc.aio.AioRpcError) else await known.code()


async def details(self: FinishedCall) -> str:
    """Return the status details the RPC ended with."""
    known = await self._known()
    if isinstance(known, grpc.aio.AioRpcError):
        return known.details() or ""
    return await known.details()


async def debug_error_string(self: FinishedCall) -> str | None:
    """Return C-core's description of an error; None where C-core wasn't involved."""
    known: Any = await self._known()
    if isinstance(known, grpc.aio.AioRpcError):
        return known.debug_error_string()
    # Every call of grpc.aio has this method, although its interface doesn't name it.
    text: str | None = await known.debug_error_string()
    return text


async def initial_metadata(self: FinishedCall) -> grpc.aio.Metadata:
    """Return the initial metadata of the attempt that ended the call."""
    known = await self._known()
    if isinstance(known, grpc.aio.AioRpcError):
        return known.initial_metadata() or grpc.aio.Metadata()
    return await known.initial_metadata()


async def trailing_metadata(self: FinishedCall) -> grpc.aio.Metadata:
    """Return the trailing metadata of the attempt that ended the call."""
    known = await self._known()
    if isinstance(known, grpc.aio.AioRpcError):
        return known.trailing_metadata() or grpc.aio.Metadata()
    return await known.trailing_metadata()


def text(call: Any, *, over: bool) -> str:
    """Describe a call for logs and debuggers, in the form of grpc.aio's errors.

    `over`: the call has ended, so its status is included.
    """
    name = type(call).__name__
    if not over:
        return f"<{name} object>"
    try:
        ended = [at_once(call.code()), at_once(call.details()), at_once(call.debug_error_string())]
    except Exception:  # noqa: BLE001 - it ended in an error that has no status
        return f"<{name} object>"
    return (
        f"<{name} of RPC that terminated with:\n"
        f"\tstatus = {ended[0]}\n"
        f'\tdetails = "{ended[1]}"\n'
        f'\tdebug_error_string = "{ended[2]}"\n'
        ">"
    )


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that doesn't wait, such as those of an ended grpc.aio call.

    Raises RuntimeError if it waits.
    """
    try:
        coroutine.send(None)
    except StopIteration as returned:
        result: T = returned.value
        return result
    coroutine.close()
    raise RuntimeError("the coroutine waits: the call has not ended")


def when_final(rpc: grpc.aio.Call, callback: Callable[[grpc.StatusCode], None]) -> None:
    """Call back with the last status code of an ended call: at once, or when it is known.

    If the server answers before a request of the stream is sent, grpc.aio first ends the call with
    INTERNAL, because it couldn't send the request. It replaces that by the server's status when it
    has read it.
    """
    known = at_once(rpc.code())
    is_unsent = known is grpc.StatusCode.INTERNAL and at_once(rpc.details()) == _UNSENT_DETAILS
    if is_unsent and isinstance(rpc, grpc.aio.StreamUnaryCall):
        keep(asyncio.ensure_future(_when_replaced(rpc, callback)))
    else:
        callback(known)


async def _when_replaced(
    rpc: "grpc.aio.StreamUnaryCall[Any, Any]", callback: Callable[[grpc.StatusCode], None]
) -> None:
    try:
        with suppress(grpc.aio.AioRpcError):
            await rpc
    finally:
        callback(at_once(rpc.code()))


def snapshot(
    status_code: grpc.StatusCode, text: str = "", debug: str | None = ""
) -> grpc.aio.AioRpcError:
    """Return the status of a call that no attempt ended."""
    empty = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(status_code, empty, empty, text, debug)


def cancelled() -> grpc.aio.AioRpcError:
    """Return the status of a call that was cancelled on this side."""
    return snapshot(grpc.StatusCode.CANCELLED, CANCELLED_DETAILS, None)


def cancel_collected(cancel: Callable[[], object], loop: asyncio.AbstractEventLoop) -> None:
    """Cancel a call that was collected unfinished, on its loop.

    The garbage collector may run in any thread.
    """
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
