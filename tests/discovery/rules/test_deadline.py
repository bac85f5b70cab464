"""One instant bounds a call, and what its handler's caller has left bounds that."""

import asyncio
import contextvars

import pytest

from discovery.rules import deadline


def test_without_a_timeout_the_default_counts() -> None:
    """10 s for a unary call."""
    assert deadline.instant(None, None, 10.0, 100.0) == 110.0


def test_an_explicit_timeout_replaces_the_default() -> None:
    """A longer one too."""
    assert deadline.instant(30.0, None, 10.0, 100.0) == 130.0


def test_the_service_config_bounds_an_explicit_timeout() -> None:
    """The smaller of the two, as gRPC's service config says."""
    assert deadline.instant(30.0, 5.0, 5.0, 100.0) == 105.0
    assert deadline.instant(2.0, 5.0, 5.0, 100.0) == 102.0


def test_a_stream_without_a_timeout_has_no_deadline() -> None:
    """Streams have no default."""
    assert deadline.instant(None, None, None, 100.0) is None


@pytest.mark.parametrize(
    ("timeout_s", "expected_s"), [(None, 102.98), (60.0, 102.98), (1.0, 101.0)]
)
def test_a_handlers_calls_end_before_its_caller_gives_up(
    timeout_s: float | None, expected_s: float
) -> None:
    """20 ms are kept for the handler's own answer; a shorter timeout stays."""
    with deadline.bind(103.0):
        assert deadline.instant(timeout_s, None, 10.0, 100.0) == pytest.approx(expected_s)
        assert deadline.instant(None, None, None, 100.0) == pytest.approx(102.98)


def test_a_binding_ends_with_its_block() -> None:
    """And an inner one gives way to the outer one."""
    with deadline.bind(5.0):
        with deadline.bind(None):
            assert deadline.current() is None
        assert deadline.current() == 5.0
    assert deadline.current() is None


async def test_what_is_inherited_reaches_the_handlers_tasks_and_no_others() -> None:
    """Work that outlives the handler runs in a fresh context."""

    async def current() -> float | None:
        return deadline.current()

    async def handler() -> tuple[float | None, float | None]:
        deadline.inherit(5.0)
        loop = asyncio.get_running_loop()
        child = loop.create_task(current())
        free = loop.create_task(current(), context=contextvars.Context())
        return await child, await free

    assert await asyncio.create_task(handler()) == (5.0, None)
    assert deadline.current() is None


@pytest.mark.parametrize("remaining_s", [None, 86_401.0, 9e15])
def test_no_deadline_looks_like_a_very_late_one(remaining_s: float | None) -> None:
    """C-core says so with a large number (grpc/grpc#26236)."""
    assert deadline.of_time_remaining(remaining_s, now_s=10.0) is None


def test_time_remaining_becomes_an_instant() -> None:
    """On the clock of this process."""
    assert deadline.of_time_remaining(2.5, now_s=10.0) == 12.5
