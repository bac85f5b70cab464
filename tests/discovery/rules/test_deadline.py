"""One instant bounds a call, and what its handler's caller has left bounds that."""

import asyncio
import contextvars

import pytest

from discovery import LocalRefusalError
from discovery.rules import deadline
from tests.support.discovery.probe_service import Open, Start, path


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


async def test_a_spent_deadline_sends_nothing(start: Start, open_to: Open) -> None:
    """DEADLINE_EXCEEDED, with the reason, and no network call."""
    server = await start("a")
    channel = open_to(server)
    await channel.channel_ready()
    get = channel.unary_unary(path("Get"))

    for timeout_s in (0.0, -1.0):
        with pytest.raises(LocalRefusalError) as refused:
            await get(b"x", timeout=timeout_s)
        assert refused.value.code().name == "DEADLINE_EXCEEDED"
        assert refused.value.reason == "deadline spent"
    assert server.seen == []


async def test_a_spent_deadline_ends_a_stream_before_it_begins(start: Start, open_to: Open) -> None:
    """Streams inherit their handler's deadline too."""
    server = await start("a")
    channel = open_to(server)
    await channel.channel_ready()

    with deadline.bind(channel.clock.monotonic() + 0.001):
        call = channel.unary_stream(path("Watch"))(b"x")

    with pytest.raises(LocalRefusalError):
        await call.read()
    assert await call.code() is not None
    assert server.seen == []


async def test_the_server_is_told_what_remains(start: Start, open_to: Open) -> None:
    """A bound deadline goes over the wire as the call's timeout."""
    server = await start("a")
    channel = open_to(server)

    with deadline.bind(channel.clock.monotonic() + 3.0):
        await channel.unary_unary(path("Get"))(b"x", timeout=60.0)

    remaining_s = server.seen[0].time_remaining_s
    assert remaining_s is not None
    assert 2.0 < remaining_s <= 2.98
