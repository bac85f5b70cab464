"""One unary call: a stack's coroutine, stepped by those who await it.

The coroutine takes its first step when the call is made, so the first attempt is on the wire at
once, and goes on inside `__await__`: the ordinary path makes no asyncio task. Each step runs in
the call's own copied context. Whoever comes first drives, later ones wait for the outcome; what
isn't awaited but asked for (callbacks, code, metadata) is driven by a task.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Generic, TypeVar

import grpc

from discovery.aio import call_status
from discovery.aio.sent import UnarySend
from discovery.call.call_state import CallState
from discovery.call.serialization import Deserializer, undeserialized

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")

_PENDING, _ANSWERED, _FAILED, _CANCELLED = range(4)


class UnaryCall(grpc.aio.UnaryUnaryCall[RequestT, ResponseT], Generic[RequestT, ResponseT]):
    """A unary call in flight; what grpc.aio.UnaryUnaryCall promises holds.

    The outcome is stored and serves any number of awaiters; cancelling one of them cancels the
    RPC, as in grpc.aio. Collected unfinished, the call is cancelled. A BaseException is never
    stored: it goes to whoever drives.
    """

    _coroutine: Coroutine[Any, Any, bytes]
    _error: Exception
    _response: ResponseT
    # What most calls never change costs them nothing.
    _state: int = _PENDING
    _driven: bool = False
    _driver: asyncio.Task[None] | None = None
    _waiters: list[asyncio.Future[None]] | None = None
    _callbacks: list[Callable[[Any], None]] | None = None
    _suspended_on: Any = None

    def __init__(
        self,
        send: UnarySend,
        call_state: CallState,
        deserializer: Deserializer[ResponseT],
        loop: asyncio.AbstractEventLoop,
        monotonic: Callable[[], float],
    ) -> None:
        self._call_state = call_state
        self._deserializer = deserializer
        self._loop = loop
        self._monotonic = monotonic
        context = self._context = copy_context()
        try:
            coroutine = self._coroutine = send(call_state)
            self._suspended_on = context.run(coroutine.send, None)
        except StopIteration as returned:
            self._answer(returned.value)
        except asyncio.CancelledError:
            self._settle(_CANCELLED)
        except Exception as error:  # noqa: BLE001 - stored: it is the call's outcome
            self._fail(error)
        else:
            if call_state.attempt is None:
                self._drive_in_task()

    def __await__(self) -> Generator[Any, None, ResponseT]:
        """The response. Whoever comes first drives, the others wait for the outcome.

        Driving is stepping the coroutine in its own context; what it waits for is yielded on to
        our task.
        """
        if self._driven or self._state is not _PENDING:
            return (yield from self._join())
        self._driven = True
        coroutine, run = self._coroutine, self._context.run
        try:
            while True:
                future = self._suspended_on
                if future is not None:
                    # The mark of a future that is being awaited; the first step's went unseen.
                    future._asyncio_future_blocking = True  # noqa: SLF001 - asyncio's protocol
                try:
                    yield future
                except GeneratorExit:
                    self._abandoned()
                    raise
                except BaseException as thrown:  # noqa: BLE001 - the coroutine's to handle
                    if self._state is not _PENDING:
                        break
                    self._suspended_on = run(coroutine.throw, thrown)
                else:
                    if self._state is not _PENDING:
                        break
                    self._suspended_on = run(coroutine.send, None)
        except StopIteration as returned:
            self._answer(returned.value)
            if self._state is _ANSWERED:
                return self._response
        except asyncio.CancelledError:
            self._settle(_CANCELLED)
        except GeneratorExit:
            raise
        except Exception as error:  # noqa: BLE001 - stored: it is the call's outcome
            self._fail(error)
        except BaseException:
            self._settle(_CANCELLED)
            raise
        return self._result()

    def _join(self) -> Generator[Any, None, ResponseT]:
        """The outcome, when somebody else has driven the call to it."""
        if self._state is _PENDING:
            try:
                yield from self._new_waiter().__await__()
            except asyncio.CancelledError:
                self.cancel()
                raise
        return self._result()

    def _new_waiter(self) -> asyncio.Future[None]:
        waiter = self._loop.create_future()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(waiter)
        return waiter

    def _drive_in_task(self) -> None:
        if self._driver is None:
            self._driver = self._loop.create_task(self._drive_for_others())

    async def _drive_for_others(self) -> None:
        with suppress(Exception, asyncio.CancelledError):  # stored: those who ask are told
            await self

    def _abandoned(self) -> None:
        """The driving awaiter was closed in mid-wait; whoever else asked has to be served."""
        self._driven = False
        if (self._waiters or self._callbacks) and self._loop.is_running():
            self._drive_in_task()

    def _answer(self, message: Any) -> None:
        try:
            self._response = self._deserializer(message)
        except Exception as error:  # noqa: BLE001 - stored: it is the call's outcome
            self._fail(undeserialized(error))
            return
        if self._waiters is None and self._callbacks is None and self._driver is None:
            # `_settle`, where nobody else has to be told.
            self._state = _ANSWERED
        else:
            self._settle(_ANSWERED)

    def _fail(self, error: Exception) -> None:
        self._error = error
        self._settle(_FAILED)

    def _settle(self, state: int) -> None:
        self._state = state
        self._driver = None
        if self._waiters is not None:
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self._waiters = None
        if self._callbacks is not None:
            for callback in self._callbacks:
                self._loop.call_soon(callback, self)
            self._callbacks = None

    def _result(self) -> ResponseT:
        if self._state is _ANSWERED:
            return self._response
        if self._state is _CANCELLED:
            raise asyncio.CancelledError
        raise self._error

    def cancel(self) -> bool:
        """End the RPC at once. False where it had ended already."""
        if self._state is not _PENDING:
            return False
        if self._coroutine.cr_running:  # type: ignore[attr-defined]  # a step of ours calls us
            self._loop.call_soon(self.cancel)
            return True
        future = self._suspended_on
        try:
            self._context.run(self._coroutine.throw, asyncio.CancelledError())
        except (asyncio.CancelledError, StopIteration):
            pass
        finally:
            self._settle(_CANCELLED)
            if future is not None:
                # Whoever drives is woken, and finds the call settled.
                future.cancel()
        return True

    def cancelled(self) -> bool:
        """Whether the RPC ended CANCELLED, by this side or the other."""
        if self._state is _FAILED and isinstance(self._error, grpc.aio.AioRpcError):
            return self._error.code() is grpc.StatusCode.CANCELLED
        return self._state is _CANCELLED

    def done(self) -> bool:
        """Whether the RPC has ended. Asking makes sure that it does, awaited or not."""
        if self._state is _PENDING and not self._driven:
            self._drive_in_task()
        return self._state is not _PENDING

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, never negative; None without a deadline."""
        deadline_s = self._call_state.deadline_s
        return None if deadline_s is None else max(0.0, deadline_s - self._monotonic())

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Call `callback(call)` when the RPC has ended; at once where it has."""
        if self.done():
            callback(self)
        else:
            self._callbacks = [*(self._callbacks or ()), callback]

    def __repr__(self) -> str:
        return call_status.text(self, over=self._state is not _PENDING)

    async def wait_for_connection(self) -> None:
        """Wait for the end, as a unary call of grpc.aio does; raises the error it ended with."""
        await self._known()
        self._result()

    async def _known(self) -> grpc.aio.Call | grpc.aio.AioRpcError:
        """Wait for the end; what knows of it. Raises an error that isn't a status."""
        if not self.done():
            await self._new_waiter()
        if self._state is _CANCELLED:
            return call_status.cancelled()
        if self._state is _FAILED:
            if isinstance(self._error, grpc.aio.AioRpcError):
                return self._error
            raise self._error
        attempt = self._call_state.attempt
        # An interceptor can answer by itself.
        answered = isinstance(attempt, grpc.aio.Call)
        return attempt if answered else call_status.snapshot(grpc.StatusCode.OK)

    code = call_status.code
    details = call_status.details
    debug_error_string = call_status.debug_error_string
    initial_metadata = call_status.initial_metadata
    trailing_metadata = call_status.trailing_metadata
