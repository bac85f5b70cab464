"""Metadata reaches the server and comes back as in grpc.aio."""

from typing import Any

import grpc
import pytest

from tests.support.discovery.dropin.comparison import Both, all_of, outcome, pairs
from tests.support.discovery.dropin.scripted_server import path

KINDS = pytest.mark.parametrize(
    ("kind", "method", "request_"),
    [
        ("unary_unary", "Unary", b"h."),
        ("unary_stream", "Responses", b"h."),
        ("stream_unary", "Requests", [b"h", b"."]),
        ("stream_stream", "Both", [b"h", b"."]),
    ],
)
FORMS = {
    "tuple": (("initial-a", "1"), ("trailing-a", "2"), ("plain", "3")),
    "list": [("initial-a", "1"), ("trailing-a", "2")],
    "Metadata": grpc.aio.Metadata(("initial-a", "1"), ("trailing-a", "2"), ("trailing-a", "3")),
    "binary": (("initial-bin", b"\x00\xff"), ("trailing-bin", b"")),
    "repeated": (("trailing-a", "1"), ("trailing-b", "2"), ("trailing-a", "3")),
    "empty": (),
    "bytes": (("trailing-a", b"text"),),
    "spaces": (("trailing-a", "two words"), ("trailing-b", "")),
}


@KINDS
async def test_metadata_goes_there_and_back(
    both: Both, kind: str, method: str, request_: Any
) -> None:
    """Every kind of call has initial and trailing metadata."""

    async def program(channel: Any, server: Any) -> Any:
        call = getattr(channel, kind)(path(method))(request_, metadata=FORMS["tuple"])
        initial = await call.initial_metadata()
        await all_of(call)
        trailing = await call.trailing_metadata()
        return type(initial), pairs(initial), type(trailing), pairs(trailing), server.metadata

    await both(program)


@pytest.mark.parametrize("form", FORMS)
async def test_the_forms_metadata_may_take(both: Both, form: str) -> None:
    """Metadata is accepted in grpc.aio's forms, and the server sees the same."""

    async def program(channel: Any, server: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b"h.", metadata=FORMS[form])
        await call
        initial, trailing = await call.initial_metadata(), await call.trailing_metadata()
        return pairs(initial), pairs(trailing), server.metadata

    await both(program)


@KINDS
async def test_metadata_of_a_refused_call(
    both: Both, kind: str, method: str, request_: Any
) -> None:
    """The exception and the call have both initial and trailing metadata.

    A stream is refused once its initial metadata was seen: grpc.aio forgets initial metadata that
    arrives together with the status of a stream.
    """
    streams = kind.endswith("_stream")
    orders = [b"h", b"g", b"!"] if streams else [b"h", b"!"]
    refused = b"".join(orders) if isinstance(request_, bytes) else orders

    async def program(channel: Any, server: Any) -> Any:
        call = getattr(channel, kind)(path(method))(refused, metadata=FORMS["tuple"])
        if streams:
            await call.initial_metadata()
        server.gate.set()
        return (
            await outcome(all_of(call)),
            pairs(await call.initial_metadata()),
            pairs(await call.trailing_metadata()),
        )

    await both(program)


async def test_initial_metadata_comes_before_the_messages(both: Both) -> None:
    """Initial metadata can be read before the messages arrive."""

    async def program(channel: Any, server: Any) -> Any:
        call = channel.unary_stream(path("Responses"))(b"hg.", metadata=FORMS["tuple"])
        initial = pairs(await call.initial_metadata())
        done = call.done()
        server.gate.set()
        return initial, done, await all_of(call)

    await both(program)


async def test_metadata_of_the_program_is_not_changed(both: Both) -> None:
    """The same metadata object serves many calls."""

    async def program(channel: Any, server: Any) -> Any:
        metadata = grpc.aio.Metadata(("plain", "1"))
        for _ in range(2):
            await channel.unary_unary(path("Unary"))(b".", metadata=metadata)
        return pairs(metadata), server.metadata

    await both(program)


async def test_a_key_of_bytes(both: Both) -> None:
    """A key may be given as bytes."""

    async def program(channel: Any, server: Any) -> Any:
        metadata: Any = ((b"a-key", "1"), (b"b-bin", b"2"))
        await channel.unary_unary(path("Unary"))(b".", metadata=metadata)
        return [pair for pair in server.metadata if pair[0] in {"a-key", "b-bin"}]

    await both(program)
