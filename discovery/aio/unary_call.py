"""One unary call: the coroutine of a stack, run by the tasks that await the call.

The coroutine takes its first step when the call is made, so the first attempt is sent at once. The
first awaiter runs the rest inside `__await__` ("drives" the call), so an ordinary call needs no
asyncio task; later awaiters wait for the outcome. Each step runs in the call's own copy of the
context. If the call isn't awaited but has callbacks, or its code or metadata is read, a task drives
it.
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
from discovery.weak import weakly

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")

_PENDING, _ANSWERED, _FAILED, _CANCELLED = range(4)


class UnaryCall(grpc.aio.UnaryUnaryCall[RequestT, ResponseT], Generic[RequestT, ResponseT]):
    """A unary call in flight; behaves as grpc.aio.UnaryUnaryCall does.

    The outcome is stored and serves any number of awaiters. Cancelling one of them cancels the RPC,
    as in grpc.aio. A call that is collected unfinished is cancelled. A BaseException is not stored:
    it is raised in the task that drives the call.
    """

    _coroutine: Coroutine[Any, Any, bytes]
    _error: Exception
    _response: ResponseT
    # Class-level defaults save an assignment per call: most calls never change these.
    _state: int = _PENDING
    _driven: bool = False
    _driver: asyncio.Task[None] | None = None
    _waiters: list[asyncio.Future[None]] | None = None
    _callbacks: list[Callable[[Any], None]] | None = None
    _suspended_on: Any = None
    # A channel of grpc.aio that closes asks all calls of its loop for it, up to grpcio 1.82.
    _channel: None = None

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
            attempt = call_state.attempt
            if attempt is None:
                self._drive_in_task()
            elif call_state.holds_permit or call_state.telemetry is not None:
                # What ends with the call must end even if nobody awaits it.
                attempt.add_done_callback(weakly(self._attempt_ended))

    def __await__(self) -> Generator[Any, None, ResponseT]:
        """Await the response. The first awaiter drives the coroutine, the others wait.

        To drive is to step the coroutine in the call's context; the futures that it waits for are
        yielded to the awaiting task.
        """
        if self._driven or self._state is not _PENDING:
            return (yield from self._join())
        self._driven = True
        coroutine, run = self._coroutine, self._context.run
        try:
            while True:
                future = self._suspended_on
                if future is not None:
                    # Tasks require this mark of an awaited future; the first step's was not seen.
                    future._asyncio_future_blocking = True  # noqa: SLF001 - asyncio's protocol
                try:
                    yield future
                except GeneratorExit:
                    self._abandoned()
                    raise
                except BaseException as thrown:  # noqa: BLE001 - the coroutine handles it
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

    def _attempt_ended(self, _rpc: object) -> None:
        """Go on with a call that nobody awaits."""
        self.done()

    def _join(self) -> Generator[Any, None, ResponseT]:
        """Wait for the outcome of a call that another task drives."""
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
        with suppress(Exception, asyncio.CancelledError):  # stored: awaiters get it
            await self

    def _abandoned(self) -> None:
        """Let a task drive on after the driving awaiter was closed, if others wait for the call."""
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
            # The same as `_settle`, but nobody has to be notified.
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
        """End the RPC at once. Returns False if it had ended already."""
        if self._state is not _PENDING:
            return False
        if self._coroutine.cr_running:  # type: ignore[attr-defined]  # called from within a step
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
                # Wakes the driving task, which then finds the call settled.
                future.cancel()
        return True

    def _advance(self) -> None:
        """Take the steps that need no wait: the attempt may have ended while nobody awaited."""
        while self._state is _PENDING and not self._driven and self._loop.is_running():
            future = self._suspended_on
            if future is None or not future.done() or self._coroutine.cr_running:  # type: ignore[attr-defined]
                return
            try:
                self._suspended_on = self._context.run(self._coroutine.send, None)
            except StopIteration as returned:
                self._answer(returned.value)
            except asyncio.CancelledError:
                self._settle(_CANCELLED)
            except Exception as error:  # noqa: BLE001 - stored: it is the call's outcome
                self._fail(error)

    def cancelled(self) -> bool:
        """Whether the RPC ended CANCELLED, by this side or the other."""
        self._advance()
        if self._state is _FAILED and isinstance(self._error, grpc.aio.AioRpcError):
            return self._error.code() is grpc.StatusCode.CANCELLED
        return self._state is _CANCELLED

    def done(self) -> bool:
        """Whether the RPC has ended. Ensures that it will, even if nobody awaits it."""
        self._advance()
        if self._state is _PENDING and not self._driven:
            self._drive_in_task()
        return self._state is not _PENDING

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, never negative; None without a deadline."""
        deadline_s = self._call_state.deadline_s
        return None if deadline_s is None else max(0.0, deadline_s - self._monotonic())

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Call `callback(call)` when the RPC has ended, or at once if it has."""
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
        """Wait for the end; return what has the status. Raises an error that has none."""
        if not self.done():
            await self._new_waiter()
        if self._state is _CANCELLED:
            return call_status.cancelled()
        if self._state is _FAILED:
            if isinstance(self._error, grpc.aio.AioRpcError):
                return self._error
            raise self._error
        attempt = self._call_state.attempt
        # An interceptor may have answered without a call.
        answered = isinstance(attempt, grpc.aio.Call)
        return attempt if answered else call_status.snapshot(grpc.StatusCode.OK)

    code = call_status.code
    details = call_status.details
    debug_error_string = call_status.debug_error_string
    initial_metadata = call_status.initial_metadata
    trailing_metadata = call_status.trailing_metadata
