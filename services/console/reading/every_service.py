"""Asks every service for the same thing: what one doesn't have is nothing, not a fault."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from services.console.reading.gathering import Gathering, Part

T = TypeVar("T")


def ask_every_service(
    parts: Gathering,
    name: str,
    work: Mapping[str, Callable[[], Awaitable[T]]],
    *,
    needs: type[Message],
    nothing: T,
) -> Mapping[str, Part[T]]:
    """Begin the work at each service, by its name; the parts are called "payment's consumers".

    A service without consumers, say, answers UNIMPLEMENTED, and has `nothing`.
    """
    return {
        service: parts.run(f"{service}'s {name}", partial(_or_nothing, begin, nothing), needs=needs)
        for service, begin in work.items()
    }


async def _or_nothing(begin: Callable[[], Awaitable[T]], nothing: T) -> T:
    try:
        return await begin()
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            return nothing
        raise
