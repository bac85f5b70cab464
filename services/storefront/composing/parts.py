"""A part of a screen: what was read, or why it is missing."""

from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import grpc

import discovery
from discovery.clock import Clock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a part could not be read: the name of the status, such as "UNAVAILABLE"."""

    reason: str


async def part(reading: Awaitable[T]) -> T | Missing:
    """Return what is read; Missing if a service refuses, or doesn't answer before the deadline."""
    try:
        return await reading
    except grpc.aio.AioRpcError as error:
        return Missing(error.code().name)


@contextmanager
def one_deadline(clock: Clock, limit_s: float) -> Iterator[None]:
    """Let all calls of the block, and of the tasks that it starts, end within `limit_s`."""
    with discovery.bind_deadline(clock.monotonic() + limit_s):
        yield


def missing(**parts: object) -> Mapping[str, str]:
    """Return the reasons of those parts that are missing, by name."""
    return {name: each.reason for name, each in parts.items() if isinstance(each, Missing)}
