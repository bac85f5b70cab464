"""A part of a screen is what was read, or why it wasn't."""

import grpc
import pytest

from discovery.rules import deadline
from services.storefront.composing.parts import Missing, missing, one_deadline, part
from tests.support.clock.manual_clock import ManualClock


async def refusing(code: grpc.StatusCode) -> str:
    """A read that a service refuses."""
    metadata = grpc.aio.Metadata()
    raise grpc.aio.AioRpcError(code, metadata, metadata)


async def read() -> str:
    """A read that succeeds."""
    return "mails"


async def test_a_refusal_is_a_reason() -> None:
    """Its status is named as in the contracts of gRPC."""
    assert await part(read()) == "mails"
    assert await part(refusing(grpc.StatusCode.UNAVAILABLE)) == Missing("UNAVAILABLE")


async def test_a_bug_is_no_missing_part() -> None:
    """What isn't the answer of a service is not hidden."""

    async def broken() -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await part(broken())


def test_only_missing_parts_are_named() -> None:
    """A part that is empty, or that there isn't yet, is not missing."""
    assert missing(mails=(), payment=None, stock=Missing("INTERNAL")) == {"stock": "INTERNAL"}


def test_all_calls_of_a_screen_have_one_deadline() -> None:
    """It is a moment of the clock, and no call's own timeout goes beyond it."""
    clock = ManualClock()
    with one_deadline(clock, 1.5):
        assert deadline.current() == clock.monotonic() + 1.5
    assert deadline.current() is None
