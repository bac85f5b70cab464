"""Asks for the parts of a page at once, under one deadline.

    async with Gathering(asker) as parts:
        order = parts.ask("order", stubs.orders.GetOrder, GetOrderRequest(order_id=order_id))
        mails = parts.ask("mails", stubs.notifications.ListNotifications, ...)
    order.value  # None if it is missing
    parts.missing  # {"mails": "UNAVAILABLE"}

A page shows what came and names what is missing, so one frozen service takes no page away.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

import grpc
from google.protobuf.message import Message

import discovery
from services.console.reading.asker import Asker, is_allowed

T = TypeVar("T")
RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT")

# A call ends by itself at the page's deadline; what takes still longer is cancelled.
_SLACK_S = 0.25


@dataclass(slots=True)
class Part(Generic[T]):
    """One part of a page: its value, or the error because of which it is missing."""

    name: str
    value: T | None = None
    error: grpc.aio.AioRpcError | None = None

    def required(self) -> T:
        """The value of a part without which there is no page. Raises AioRpcError."""
        if self.error is not None:
            raise self.error
        return cast(T, self.value)


def all_of(parts: Iterable[Part[Sequence[T]]]) -> Sequence[T] | None:
    """What all parts have; None if one of them is missing, because nobody knows how much it is."""
    found: list[T] = []
    for part in parts:
        if part.error is not None:
            return None
        found += part.value or ()
    return found


@dataclass(slots=True)
class Gathering:
    """Calls begin where they are asked for; the end of the block waits for all of them."""

    asker: Asker
    parts: list[Part[Any]] = field(default_factory=list)
    _tasks: dict[asyncio.Task[Any], Part[Any]] = field(default_factory=dict)

    def ask(
        self,
        name: str,
        method: grpc.aio.UnaryUnaryMultiCallable[RequestT, ResponseT],
        request: RequestT,
    ) -> Part[ResponseT]:
        """Call a method as the person who looks at the page, if the contract lets them."""
        return self.run(name, lambda: self.asker.call(method, request), needs=type(request))

    def run(self, name: str, work: Callable[[], Awaitable[T]], *, needs: type[Message]) -> Part[T]:
        """Do anything else that makes calls, such as to read several pages.

        `needs` is the request of the method that decides who may have this part.
        """
        part: Part[T] = Part(name)
        self.parts.append(part)
        if is_allowed(self.asker.roles, needs):
            self._tasks[asyncio.ensure_future(_done(work))] = part
        else:
            part.error = _error(grpc.StatusCode.PERMISSION_DENIED, "the person's roles")
        return part

    @property
    def missing(self) -> Mapping[str, str]:
        """The parts that are missing, by name, each with its reason."""
        return {each.name: reason_of(each.error) for each in self.parts if each.error is not None}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        try:
            if exc_type is None and self._tasks:
                await asyncio.wait(self._tasks, timeout=self.asker.timeout_s + _SLACK_S)
        finally:
            late = [task for task in self._tasks if not task.done()]
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for task, part in self._tasks.items():
            _settle(task, part)


async def _done(work: Callable[[], Awaitable[T]]) -> T:
    return await work()


def _settle(task: asyncio.Task[Any], part: Part[Any]) -> None:
    """Put the outcome of a task into its part. Raises what isn't an answer of a service."""
    error = None if task.cancelled() else task.exception()
    if task.cancelled():
        part.error = _error(grpc.StatusCode.DEADLINE_EXCEEDED, "no answer in time")
    elif isinstance(error, grpc.aio.AioRpcError):
        part.error = error
    elif error is not None:
        raise error
    else:
        part.value = task.result()


def _error(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details)


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The status code, with the contract's reason where the service gave one."""
    info = discovery.error_info(error)
    code = error.code().name
    return code if info is None else f"{code}: {info.reason}"
