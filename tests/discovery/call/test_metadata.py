"""Metadata that gRPC can't carry is refused before anything is sent."""

from typing import Any

import grpc
import pytest

from discovery.call.metadata import validated
from discovery.errors import InvalidMetadataError
from tests.support.discovery.probe_service import Open, Start, path


@pytest.mark.parametrize(
    "pair",
    [
        ("key", "value"),
        ("key", ""),
        ("key", b"bytes of text"),
        ("k.e_y-1", "v a l ~"),
        ("key-bin", b"\x00\xff"),
    ],
)
def test_metadata_that_grpc_can_carry_is_accepted(pair: tuple[str, str | bytes]) -> None:
    """Valid metadata is returned unchanged."""
    assert validated([pair]) == (pair,)


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (("Key", "value"), "a key is made of"),
        (("", "value"), "a key is made of"),
        (("k y", "value"), "a key is made of"),
        (("key", 1), "a value is text or bytes"),
        (("key", None), "a value is text or bytes"),
        (("key", "ä"), "a value is printable ASCII"),
        (("key", "a\nb"), "a value is printable ASCII"),
        (("key", b"\x00"), "a value is printable ASCII"),
        (("key-bin", "text"), "is bytes"),
        ((1, "value"), "a key is text"),
        (("key", "value", "more"), "expected a pair"),
        ("key", "expected a pair"),
    ],
)
def test_metadata_that_grpc_cannot_carry_is_refused(pair: Any, reason: str) -> None:
    """The error names the key and what is wrong with it."""
    with pytest.raises(InvalidMetadataError, match=reason):
        validated([pair])


@pytest.mark.parametrize(
    "factory", ["unary_unary", "unary_stream", "stream_unary", "stream_stream"]
)
async def test_a_call_with_bad_metadata_is_not_made(
    start: Start, open_to: Open, factory: str
) -> None:
    """Bad metadata raises where the call is made; in grpc.aio, `code()` of
    that call never returns.
    """
    server = await start("a")
    channel: Any = open_to(server)
    await channel.channel_ready()

    with pytest.raises(InvalidMetadataError):
        getattr(channel, factory)(path("Get"))(b"x", metadata=(("Key", "value"),))

    assert server.seen == []


@pytest.mark.parametrize(
    "metadata",
    [
        (("mine", "1"), ("mine", "2")),
        [("mine", "1"), ("mine", "2")],
        grpc.aio.Metadata(("mine", "1"), ("mine", "2")),
    ],
)
async def test_metadata_is_accepted_in_every_form_that_grpc_accepts(
    start: Start, open_to: Open, metadata: Any
) -> None:
    """Tuples, lists and Metadata are accepted, and the caller's object isn't changed."""
    server = await start("a")
    before = tuple(metadata)

    await open_to(server).unary_unary(path("Get"))(b"x", metadata=metadata)

    assert server.seen[0].metadata["mine"] == "2"
    assert tuple(metadata) == before
