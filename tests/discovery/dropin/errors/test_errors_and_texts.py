"""Exceptions and calls look as in grpc.aio to a program that inspects, logs or pickles them."""

import pickle
import weakref
from typing import Any

import grpc
import pytest

from tests.support.discovery.dropin.comparison import (
    Both,
    all_of,
    attempted,
    exception_content,
    lasting,
)
from tests.support.discovery.dropin.scripted_server import path

KINDS = pytest.mark.parametrize(
    ("kind", "method", "answers", "refused"),
    [
        ("unary_unary", "Unary", b".", b"!"),
        ("unary_stream", "Responses", b".", b"!"),
        ("stream_unary", "Requests", [b"."], [b"!"]),
        ("stream_stream", "Both", [b"."], [b"!"]),
    ],
)


async def _raised(call: Any) -> Any:
    try:
        await all_of(call)
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call was not refused")


@KINDS
async def test_the_exception_of_a_refused_call(
    aio: Both, kind: str, method: str, answers: Any, refused: Any
) -> None:
    """A failed call raises a complete AioRpcError, which is an RpcError and can be pickled."""

    async def program(channel: Any, _: Any) -> Any:
        error = await _raised(getattr(channel, kind)(path(method))(refused))
        again = pickle.loads(pickle.dumps(error))
        return (
            isinstance(error, grpc.aio.AioRpcError),
            type(error.initial_metadata()),
            type(error.trailing_metadata()),
            error.trailing_metadata().get_all("why"),
            lasting(repr(error)),
            exception_content(again),
        )

    await aio(program)


@KINDS
async def test_the_types_of_calls_and_multicallables(
    aio: Both, kind: str, method: str, answers: Any, refused: Any
) -> None:
    """Calls and multicallables have grpc.aio's types."""
    name = "".join(word.capitalize() for word in kind.split("_"))

    async def program(channel: Any, _: Any) -> Any:
        multicallable = getattr(channel, kind)(path(method))
        call = multicallable(answers)
        await all_of(call)
        return (
            isinstance(channel, grpc.aio.Channel),
            isinstance(multicallable, getattr(grpc.aio, f"{name}MultiCallable")),
            isinstance(call, getattr(grpc.aio, f"{name}Call")),
            isinstance(call, grpc.aio.Call),
            isinstance(call, grpc.aio.RpcContext),
        )

    await aio(program)


@KINDS
async def test_calls_can_be_hashed_and_referenced(
    both: Both, kind: str, method: str, answers: Any, refused: Any
) -> None:
    """Calls can be kept in sets, also in weak ones, and compare by identity."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))(answers)
        kept, weak = {call}, weakref.WeakSet([call])
        await all_of(call)
        return call in kept, call in weak, call == call, len({call, call})  # noqa: PLR0124

    await both(program)


async def test_a_program_that_sets_its_own_attributes(both: Both) -> None:
    """A program can set attributes on a call, as instrumentation does."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b".")
        call.tag = "mine"
        await call
        return call.tag

    await both(program)


async def test_a_method_that_is_no_text(both: Both) -> None:
    """A method name that is no text is refused when the multicallable is made."""

    async def program(channel: Any, _: Any) -> Any:
        seen = attempted(lambda: channel.unary_unary(None))
        return isinstance(seen, tuple)

    await both(program)
