"""What the program itself gets wrong is not held against an instance."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from tests.discovery.blocking.conftest import OpenBlocking, StartInBackground
from tests.support.discovery.probe_service import path


def broken() -> Iterator[bytes]:
    """Requests that end in an error."""
    yield b"1"
    raise KeyError("a fault of the program")


def unreadable(_: bytes) -> Any:
    """A deserializer that can't read anything."""
    raise ValueError("a fault of the program")


def test_requests_that_raise_say_nothing_of_the_instance(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """Grpc ends such a call with UNKNOWN, which an instance could have answered, too."""
    channel = open_to(start("a"))
    with pytest.raises(grpc.RpcError, match="iterating requests"):
        channel.stream_unary(path("Upload"))(broken())

    (seen,) = channel.explain().instances
    assert (seen.calls, seen.failures) == (0, 0)


def test_an_answer_that_can_not_be_read_is_an_answer(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """Grpc ends such a call with INTERNAL; the instance did what it was asked for."""
    channel = open_to(start("a"))
    with pytest.raises(grpc.RpcError, match="deserializing response"):
        channel.unary_unary(path("Get"), response_deserializer=unreadable)(b"x")

    (seen,) = channel.explain().instances
    assert (seen.calls, seen.failures) == (1, 0)
