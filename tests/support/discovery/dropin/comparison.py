"""Runs one program with a channel of grpc and with ours, and compares what it observes."""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import grpc

import discovery
from discovery import blocking
from discovery.registry.instance import SOCKETS
from tests.support.discovery.dropin.awaitable_channel import AwaitableChannel
from tests.support.discovery.dropin.differences import Difference
from tests.support.discovery.dropin.scripted_server import ScriptedServer

# A program: takes a channel and a server, and returns what it observed.
Program = Callable[[Any, ScriptedServer], Awaitable[Any]]

_BOUND_S = 60.0
_VARIES = re.compile(r"127\.0\.0\.1:\d+|ipv4:127\.0\.0\.1:\d+|0x[0-9a-f]+|created_time:\"[^\"]*\"")
# How gRPC words a spent deadline when the server's end of the stream came first.
_WRAPPED = re.compile(r"Stream removed \(([^)]*)\)")


@dataclass(frozen=True, slots=True)
class Driver:
    """How a driver's channel is opened: grpc's to an address, ours to a target."""

    native: Callable[..., Any]
    ours: Callable[..., Any]


AIO = Driver(grpc.aio.insecure_channel, discovery.open_channel)
BLOCKING = Driver(
    lambda *args, **keywords: AwaitableChannel(grpc.insecure_channel(*args, **keywords)),
    lambda *args, **keywords: AwaitableChannel(blocking.open_channel(*args, **keywords)),
)


class Both:
    """The two channels of one driver to one server."""

    def __init__(self, server: ScriptedServer, driver: Driver = AIO) -> None:
        self._server = server
        self._driver = driver

    async def __call__(self, program: Program, **arguments: Any) -> None:
        """Run the program with both channels; it must observe the same. `arguments` go to both."""
        native, ours = await self._run(program, arguments)
        assert ours == native, f"\nours:   {ours!r}\nnative: {native!r}"
        assert native is not None, "the program saw nothing"

    async def differ(
        self, difference: Difference, program: Program, **arguments: Any
    ) -> tuple[Any, Any]:
        """Run the program with both channels and return both results; the difference must be
        listed.
        """
        native, ours = await self._run(program, arguments)
        assert ours != native, f"no longer a difference: {difference}: {ours!r}"
        return native, ours

    async def _run(self, program: Program, arguments: dict[str, Any]) -> tuple[Any, Any]:
        address = arguments.pop("address", self._server.address)
        saw = await self._observe(program, self._driver.native(address, **arguments))
        target = address if address.startswith(SOCKETS) else f"static:///{address}"
        ours = self._driver.ours(target, rng=random.Random(7), **arguments)
        return saw, await self._observe(program, ours)

    async def _observe(self, program: Program, channel: Any) -> Any:
        self._server.begin()
        try:
            return await asyncio.wait_for(program(channel, self._server), _BOUND_S)
        finally:
            await channel.close()


async def outcome(awaitable: Awaitable[Any]) -> Any:
    """The value that awaiting returns, or the content of the exception it raises."""
    try:
        return await awaitable
    except asyncio.CancelledError:
        return "CancelledError"
    except Exception as error:  # noqa: BLE001 - seen, whatever it is
        return exception_content(error)


def attempted(function: Callable[[], Any]) -> Any:
    """The value that a function returns, or the content of the exception it raises."""
    try:
        return function()
    except Exception as error:  # noqa: BLE001 - seen, whatever it is
        return exception_content(error)


async def all_of(call: Any) -> Any:
    """The response of a call, or all of them."""
    if hasattr(call, "__aiter__"):
        return [message async for message in call]
    return await call


def exception_content(error: BaseException) -> tuple[Any, ...]:
    """The content of an exception, except addresses and times."""
    # Ours of the blocking driver are AioRpcErrors as well.
    if isinstance(error, grpc.Call):
        return _content_of_call(error)
    if isinstance(error, grpc.aio.AioRpcError):
        return (
            "AioRpcError",
            error.code(),
            unwrapped(error.details()),
            pairs(error.initial_metadata()),
            pairs(error.trailing_metadata()),
            lasting(error.debug_error_string()),
            lasting(str(error)),
        )
    return (type(error).__name__, lasting(str(error)))


def _content_of_call(error: Any) -> tuple[Any, ...]:
    """The content of an error of a synchronous call, which is the call itself."""
    cancelled = error.code() is grpc.StatusCode.CANCELLED
    return (
        "RpcError",
        error.code(),
        unwrapped(error.details()),
        pairs(error.initial_metadata()),
        pairs(error.trailing_metadata()),
        # grpc waits for ever for the text of a call that was cancelled on this side.
        "" if cancelled else lasting(error.debug_error_string()),
    )


def pairs(
    metadata: Iterable[tuple[str, str | bytes]] | None,
) -> list[tuple[str, str | bytes]] | None:
    """Metadata as ordered pairs."""
    return None if metadata is None else [tuple(pair) for pair in metadata]  # type: ignore[misc]


def lasting(text: str | None) -> str | None:
    """A text without the parts that differ each time."""
    return None if text is None else _VARIES.sub("~", unwrapped(text) or "")


def unwrapped(text: str | None) -> str | None:
    """The words of a status without those that tell which side ended the stream first."""
    return None if text is None else _WRAPPED.sub(r"\1", text)


async def ending(call: Any) -> tuple[Any, ...]:
    """The status of an ended call."""
    return (
        await outcome(call.code()),
        await outcome(call.details()),
        lasting(await outcome(call.debug_error_string())),
        pairs(await call.initial_metadata()),
        pairs(await call.trailing_metadata()),
        call.done(),
        call.cancelled(),
        call.cancel(),
    )
