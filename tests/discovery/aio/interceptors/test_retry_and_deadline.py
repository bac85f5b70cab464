"""Deadline and retries as interceptors for any grpc.aio channel."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc import StatusCode

from discovery import LocalRefusalError
from discovery.aio.interceptors.retry_and_deadline import DeadlineInterceptor, RetryInterceptor
from discovery.clock import SystemClock
from discovery.rules import attempt_number, deadline
from discovery.rules.retry_budget import RetryBudget
from discovery.rules.retry_policy import RetryPolicy
from tests.support.discovery.probe_service import Probe, Refusal, Start, path

UNAVAILABLE = Refusal(StatusCode.UNAVAILABLE)


@asynccontextmanager
async def channel(
    server: Probe, *, budget: RetryBudget | None = None, **options: Any
) -> AsyncIterator[grpc.aio.Channel]:
    """A plain grpc.aio channel with both interceptors; `options` are those of the retries."""
    clock = SystemClock()
    interceptors = [
        DeadlineInterceptor(clock=clock),
        RetryInterceptor(clock=clock, rng=random.Random(7), budget=budget, **options),
    ]
    async with grpc.aio.insecure_channel(server.address, interceptors=interceptors) as plain:
        yield plain


async def test_safe_methods_are_retried_on_any_channel(start: Start) -> None:
    """Retries carry the attempt header, and the call has the trailers of its last attempt."""
    server = await start("a")
    server.script.extend([UNAVAILABLE, UNAVAILABLE])
    async with channel(server) as plain:
        call = plain.unary_unary(path("Get"))(b"x", metadata=(("mine", "1"),))

        assert await call == b"a:x"
        assert ("served-by", "a") in tuple(await call.trailing_metadata())

    numbers = [seen.metadata.get(attempt_number.ATTEMPT_KEY) for seen in server.seen]
    assert numbers == [None, "1", "2"]
    assert [seen.metadata["mine"] for seen in server.seen] == ["1", "1", "1"]


async def test_unsafe_methods_are_not_retried(start: Start) -> None:
    """An unsafe method is attempted once, and its error is raised unchanged."""
    server = await start("a")
    server.script.append(Refusal(StatusCode.UNAVAILABLE, (("who", "a"),)))
    async with channel(server) as plain:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await plain.unary_unary(path("Post"))(b"x")

    assert ("who", "a") in tuple(failed.value.trailing_metadata())
    assert len(server.seen) == 1


async def test_a_method_may_be_called_idempotent(start: Start) -> None:
    """A method whose contract states no level is retried where its caller says that it may be."""
    server = await start("a")
    server.script.append(UNAVAILABLE)
    async with channel(server, idempotent=[path("Post")]) as plain:
        assert await plain.unary_unary(path("Post"))(b"x") == b"a:x"

    assert len(server.seen) == 2


async def test_an_attempt_may_have_a_time_of_its_own(start: Start) -> None:
    """All attempts except the last one are given up after `attempt_timeout_s`."""
    server = await start("a")
    server.script.append(Refusal(StatusCode.DEADLINE_EXCEEDED))
    policy = RetryPolicy(max_attempts=2, attempt_timeout_s=5.0)
    async with channel(server, policy=policy) as plain:
        assert await plain.unary_unary(path("Get"))(b"x", timeout=60.0) == b"a:x"

    first_s, last_s = (seen.time_remaining_s or 99.0 for seen in server.seen)
    assert first_s < 6.0 < last_s


async def test_the_deadline_bounds_all_attempts(start: Start) -> None:
    """Each attempt gets what is left of the call's time."""
    server = await start("a")
    server.script.append(Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "1000"),)))
    async with channel(server) as plain:
        await plain.unary_unary(path("Get"))(b"x", timeout=9.0)

    first_s, second_s = (seen.time_remaining_s for seen in server.seen)
    assert first_s is not None
    assert second_s is not None
    # On the wire a timeout is rounded up, by at most a percent or so.
    assert second_s + 0.5 < first_s < 9.5


async def test_a_call_without_a_timeout_gets_the_default(start: Start) -> None:
    """A call without a timeout gets the default of 10 s."""
    server = await start("a")
    async with channel(server) as plain:
        await plain.unary_unary(path("Get"))(b"x")

    remaining_s = server.seen[0].time_remaining_s
    assert remaining_s is not None
    # On the wire a timeout is rounded up, by at most a percent or so.
    assert 9.0 < remaining_s < 10.5


async def test_a_spent_deadline_makes_no_call(start: Start) -> None:
    """A call is refused if the handler's caller has no time left."""
    server = await start("a")
    async with channel(server) as plain:
        with deadline.bind(0.0), pytest.raises(LocalRefusalError):
            await plain.unary_unary(path("Get"))(b"x")

    assert server.seen == []


async def test_the_budget_is_shared(start: Start) -> None:
    """Channels that share the interceptor share one retry budget."""
    server = await start("a")
    server.script.extend([UNAVAILABLE] * 100)
    budget = RetryBudget(reserve_per_s=0.3)
    async with channel(server, budget=budget) as plain:
        get = plain.unary_unary(path("Get"))
        failures: list[Any] = await asyncio.gather(
            *(get(b"x") for _ in range(10)), return_exceptions=True
        )

    assert {failure.code() for failure in failures} == {StatusCode.UNAVAILABLE}
    assert len(server.seen) == 10 + 5
