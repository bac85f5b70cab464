"""A slow attempt of a safe method is hedged on another instance, and the first OK wins."""

import asyncio

import grpc
import pytest
from grpc import StatusCode

from tests.support.discovery.hedged_instances import hedged_instances
from tests.support.discovery.probe_service import Open, Refusal, Start, path, subchannels

STOP = (("grpc-retry-pushback-ms", "-1"),)


async def test_the_first_ok_wins_and_the_loser_is_cancelled(start: Start, open_to: Open) -> None:
    """After the p95, a second attempt with an attempt number goes to another instance."""
    instances = await hedged_instances(start, open_to)

    call = instances.call()
    await instances.first_sent()

    assert await call == f"{instances.other.name}:x".encode()
    await instances.slow.was_cancelled()
    assert [seen.metadata.get("x-discovery-attempt") for seen in instances.other.seen] == ["1"]


async def test_trailers_are_the_winners(start: Start, open_to: Open) -> None:
    """The call has the trailers of the attempt that won."""
    instances = await hedged_instances(start, open_to)

    call = instances.channel.unary_unary(path("Get"))(b"x")
    await instances.first_sent()
    await call

    assert ("served-by", instances.other.name) in tuple(await call.trailing_metadata())


async def test_a_loser_looks_slow(start: Start, open_to: Open) -> None:
    """The loser's elapsed time counts as latency, or it would be picked first again."""
    instances = await hedged_instances(start, open_to)
    call = instances.call()
    await instances.first_sent()
    await call

    (loser,) = (
        one
        for one in subchannels(instances.channel)
        if one.instance.endpoint == instances.slow.address
    )
    # 100 ms were observed and have decayed a little; the initial value is 30 ms.
    assert loser.load.latency_s(instances.clock.monotonic()) > 0.09


async def test_a_failed_hedge_leaves_the_first_to_win(start: Start, open_to: Open) -> None:
    """When the hedge fails, the first attempt can still win."""
    instances = await hedged_instances(start, open_to)
    instances.other.script.append(Refusal(StatusCode.UNAVAILABLE))

    call = instances.call()
    await instances.first_sent()
    await instances.other.wait_for_calls(1)
    instances.slow.gate.set()

    assert await call == f"{instances.slow.name}:x".encode()


async def test_a_fatal_error_ends_the_call(start: Start, open_to: Open) -> None:
    """A fatal error such as NOT_FOUND ends the call without waiting for the other attempt."""
    instances = await hedged_instances(start, open_to)
    instances.other.script.append(Refusal(StatusCode.NOT_FOUND))

    call = instances.call()
    await instances.first_sent()

    with pytest.raises(grpc.aio.AioRpcError, match="NOT_FOUND"):
        await call
    await instances.slow.was_cancelled()


async def test_pushback_of_either_attempt_stops_retries(start: Start, open_to: Open) -> None:
    """If both fail and one says "don't try again", the call isn't retried."""
    instances = await hedged_instances(start, open_to)
    instances.other.script.append(Refusal(StatusCode.UNAVAILABLE, STOP))
    instances.slow.script.append(Refusal(StatusCode.UNAVAILABLE))

    call = instances.call()
    await instances.first_sent()
    await instances.other.wait_for_calls(1)
    await instances.until_in_flight(1)
    instances.slow.gate.set()

    with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
        await call
    assert (len(instances.slow.seen), len(instances.other.seen)) == (1, 1)


async def test_retry_continues_after_both_attempts_failed(start: Start, open_to: Open) -> None:
    """After both attempts failed, the next one carries the right attempt number."""
    instances = await hedged_instances(start, open_to)
    refusal = Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "0"),))
    instances.other.script.append(refusal)
    instances.slow.script.append(refusal)

    call = instances.call()
    await instances.first_sent()
    await instances.other.wait_for_calls(1)
    instances.slow.gate.set()

    assert await call in (b"a:x", b"b:x")
    headers = [
        int(seen.metadata.get("x-discovery-attempt", 0))
        for seen in (*instances.slow.seen, *instances.other.seen)
    ]
    assert sorted(headers) == [0, 1, 2]


async def test_retry_avoids_the_instances_of_both_attempts(start: Start, open_to: Open) -> None:
    """A retry goes to an instance that neither attempt was sent to."""
    instances = await hedged_instances(start, open_to, names="abc")
    refusal = Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "0"),))
    instances.other.script.append(refusal)
    instances.slow.script.append(refusal)

    call = instances.call()
    await instances.first_sent()
    await instances.other.wait_for_calls(1)
    instances.slow.gate.set()

    (third,) = instances.others
    assert await call == f"{third.name}:x".encode()


async def test_cancelling_the_call_cancels_both(start: Start, open_to: Open) -> None:
    """Cancelling a hedged call cancels both attempts."""
    instances = await hedged_instances(start, open_to)
    instances.other.gate.clear()

    call = instances.call()
    await instances.first_sent()
    await instances.other.wait_for_calls(1)
    call.cancel()

    await instances.slow.was_cancelled()
    await instances.other.was_cancelled()
    with pytest.raises(asyncio.CancelledError):
        await call


@pytest.mark.parametrize("grace_s", [None, 30.0])
async def test_closing_in_the_delay_of_a_hedge(
    start: Start, open_to: Open, grace_s: float | None
) -> None:
    """The first attempt goes on during the grace; without one the call is cancelled."""
    instances = await hedged_instances(start, open_to)
    call = instances.call()
    await instances.slow.wait_for_calls(1)
    await instances.clock.wait_for_sleepers(1)

    closing = asyncio.create_task(instances.channel.close(grace_s))
    await asyncio.sleep(0)
    if grace_s is None:
        await asyncio.wait([call])
        assert call.cancelled()
    else:
        await instances.clock.advance(0.11)
        instances.slow.gate.set()
        assert await call in {f"{one.name}:x".encode() for one in (instances.slow, instances.other)}
        await instances.clock.advance(1.0)
    await closing
