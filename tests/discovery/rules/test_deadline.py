"""One instant bounds a call; in a handler it is before the deadline of the handler's caller."""

import asyncio
import contextvars

import pytest

from discovery.rules import deadline


def test_without_a_timeout_the_default_counts() -> None:
    """A unary call without a timeout has 10 s."""
    assert deadline.instant(None, None, 10.0, 100.0) == 110.0


def test_an_explicit_timeout_replaces_the_default() -> None:
    """A timeout longer than the default applies too."""
    assert deadline.instant(30.0, None, 10.0, 100.0) == 130.0


def test_the_service_config_bounds_an_explicit_timeout() -> None:
    """The smaller of the two applies, as gRPC's service config specifies."""
    assert deadline.instant(30.0, 5.0, 5.0, 100.0) == 105.0
    assert deadline.instant(2.0, 5.0, 5.0, 100.0) == 102.0


def test_a_stream_without_a_timeout_has_no_deadline() -> None:
    """There is no default timeout for streams."""
    assert deadline.instant(None, None, None, 100.0) is None


@pytest.mark.parametrize(
    ("timeout_s", "expected_s"), [(None, 102.98), (60.0, 102.98), (1.0, 101.0)]
)
def test_a_handlers_calls_end_before_its_caller_gives_up(
    timeout_s: float | None, expected_s: float
) -> None:
    """A handler keeps 20 ms for its own answer; a shorter timeout isn't changed."""
    with deadline.bind(103.0):
        assert deadline.instant(timeout_s, None, 10.0, 100.0) == pytest.approx(expected_s)
        assert deadline.instant(None, None, None, 100.0) == pytest.approx(102.98)


def test_a_binding_ends_with_its_block() -> None:
    """After an inner block, the outer block's deadline applies again."""
    with deadline.bind(5.0):
        with deadline.bind(None):
            assert deadline.current() is None
        assert deadline.current() == 5.0
    assert deadline.current() is None


async def test_an_inherited_deadline_reaches_the_handlers_tasks_only() -> None:
    """Work that outlives the handler runs in a fresh context without the deadline."""

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
def test_a_very_late_deadline_counts_as_none(remaining_s: float | None) -> None:
    """C-core reports "no deadline" as a very large number (grpc/grpc#26236)."""
    assert deadline.of_time_remaining(remaining_s, now_s=10.0) is None


def test_time_remaining_becomes_an_instant() -> None:
    """The remaining time is added to this process's monotonic clock."""
    assert deadline.of_time_remaining(2.5, now_s=10.0) == 12.5
