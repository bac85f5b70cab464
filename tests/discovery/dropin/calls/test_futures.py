"""The methods of grpc.Future, which every synchronous call of grpc has."""

import asyncio
from functools import partial
from typing import Any

import grpc
import pytest

from tests.support.discovery.dropin.awaitable_channel import in_thread
from tests.support.discovery.dropin.comparison import BLOCKING, Both, attempted, lasting
from tests.support.discovery.dropin.scripted_server import NO_LISTENER, ScriptedServer, path

KINDS = pytest.mark.parametrize(
    ("kind", "method", "request_of"),
    [
        ("unary_unary", "Unary", lambda order: order),
        ("unary_stream", "Responses", lambda order: order),
        ("stream_unary", "Requests", lambda order: [order]),
        ("stream_stream", "Both", lambda order: [order]),
    ],
)


@pytest.fixture
def blocking(server: ScriptedServer) -> Both:
    """Runs a program about what only synchronous calls have."""
    return Both(server, BLOCKING)


def asked(call: Any, **arguments: float) -> list[str]:
    """The kind of answer, or of error, that each of the methods gives which wait."""
    methods = (call.result, call.exception, call.traceback)
    return [kind_of(attempted(partial(method, **arguments))) for method in methods]


def kind_of(answer: Any) -> str:
    """The name of what was raised or, of an answer, its type."""
    if isinstance(answer, tuple):
        return f"raised {answer[0]}"
    return "RpcError" if isinstance(answer, grpc.RpcError) else type(answer).__name__


@KINDS
@pytest.mark.parametrize("order", [b".", b"!", b"x"])
async def test_an_ended_call(
    blocking: Both, kind: str, method: str, request_of: Any, order: bytes
) -> None:
    """Result, error and traceback wait for the end, and can be asked for again."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))(request_of(order)).call
        if kind.endswith("stream"):
            await in_thread(lambda: attempted(lambda: list(call)))
        seen = [await in_thread(lambda: asked(call)) for _ in range(2)]
        return seen, call.running(), call.done(), call.is_active(), isinstance(call, grpc.Future)

    await blocking(program)


@KINDS
async def test_the_traceback_of_an_error_that_lost_it(
    blocking: Both, kind: str, method: str, request_of: Any
) -> None:
    """The traceback is there again after the program has cleared that of the error."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))(request_of(b"!")).call
        error = await in_thread(call.exception)
        error.__traceback__ = None
        return (await in_thread(call.traceback)) is None

    await blocking(program)


async def test_the_traceback_of_a_call_that_was_not_sent(blocking: Both) -> None:
    """A call without an instance has a traceback as well."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b".").call
        return (await in_thread(call.traceback)) is None, call.done(), call.running()

    await blocking(program, address=NO_LISTENER)


@KINDS
async def test_a_call_under_way(blocking: Both, kind: str, method: str, request_of: Any) -> None:
    """Waiting for a call under way ends after its time; a cancelled call says that it was."""

    async def program(channel: Any, server: Any) -> Any:
        call = getattr(channel, kind)(path(method))(request_of(b"?")).call
        await server.entered.wait()
        waited = await in_thread(lambda: asked(call, timeout=0.01))
        seen = call.running(), call.done(), call.cancelled(), call.is_active()
        said = call.cancel(), call.cancel(), call.cancelled(), call.done(), call.running()
        return waited, seen, said, await in_thread(lambda: asked(call)), call.code()

    await blocking(program)


def described(call: Any) -> list[str | None]:
    """A call as a log and a debugger show it, without the name of its class."""
    name = type(call).__name__
    return [lasting(text.replace(name, "~")) for text in (str(call), repr(call))]


@KINDS
@pytest.mark.parametrize("order", [b".", b"!", b"x"])
async def test_an_ended_call_says_its_status(
    blocking: Both, kind: str, method: str, request_of: Any, order: bytes
) -> None:
    """A log line with a call in it names the status that it ended with."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))(request_of(order)).call
        if kind.endswith("stream"):
            await in_thread(lambda: attempted(lambda: list(call)))
        await in_thread(call.code)
        return described(call)

    await blocking(program)


@KINDS
async def test_a_call_under_way_says_no_status(
    blocking: Both, kind: str, method: str, request_of: Any
) -> None:
    """Describing a call doesn't wait for it; one that was cancelled says so."""

    async def program(channel: Any, server: Any) -> Any:
        call = getattr(channel, kind)(path(method))(request_of(b"?")).call
        await server.entered.wait()
        under_way = described(call)
        call.cancel()
        return under_way, described(call)

    await blocking(program)


def raising(_: object) -> None:
    """A callback with a fault."""
    raise ValueError("a fault of the program")


@KINDS
async def test_a_callback_that_raises(
    blocking: Both, kind: str, method: str, request_of: Any
) -> None:
    """The call ends as without the callback, and the callbacks after it are called."""

    async def program(channel: Any, server: Any) -> Any:
        call = getattr(channel, kind)(path(method))(request_of(b"g.")).call
        called = asyncio.Event()
        loop = asyncio.get_running_loop()
        call.add_done_callback(raising)
        call.add_done_callback(lambda _: loop.call_soon_threadsafe(called.set))
        server.gate.set()
        if kind.endswith("stream"):
            await in_thread(lambda: attempted(lambda: list(call)))
        await called.wait()
        return await in_thread(call.code), await in_thread(lambda: asked(call)), call.done()

    await blocking(program)
