"""A slow attempt of a safe method gets company on another instance: the first OK wins."""

import asyncio

import grpc
import pytest
from grpc import StatusCode

from tests.support.discovery.probe_service import Open, Refusal, Start, path, subchannels
from tests.support.discovery.slow_instance import world

STOP = (("grpc-retry-pushback-ms", "-1"),)


async def test_the_first_ok_wins_and_the_loser_is_cancelled(start: Start, open_to: Open) -> None:
    """After the p95 a second attempt goes elsewhere, and says that it is one."""
    shop = await world(start, open_to)

    call = shop.call()
    await shop.first_sent()

    assert await call == f"{shop.other.name}:x".encode()
    await shop.slow.was_cancelled()
    assert [seen.metadata.get("x-discovery-attempt") for seen in shop.other.seen] == ["1"]


async def test_trailers_are_the_winners(start: Start, open_to: Open) -> None:
    """The call speaks of the attempt that answered."""
    shop = await world(start, open_to)

    call = shop.channel.unary_unary(path("Get"))(b"x")
    await shop.first_sent()
    await call

    assert ("served-by", shop.other.name) in tuple(await call.trailing_metadata())


async def test_a_loser_looks_slow(start: Start, open_to: Open) -> None:
    """It took at least so long; else it would be asked first again and again."""
    shop = await world(start, open_to)
    call = shop.call()
    await shop.first_sent()
    await call

    (loser,) = (
        one for one in subchannels(shop.channel) if one.instance.endpoint == shop.slow.address
    )
    # 100 ms, a little decayed since; the seed is 30.
    assert loser.load.latency_s(shop.clock.monotonic()) > 0.09


async def test_a_failed_hedge_leaves_the_first_to_win(start: Start, open_to: Open) -> None:
    """The first OK, not the first answer."""
    shop = await world(start, open_to)
    shop.other.script.append(Refusal(StatusCode.UNAVAILABLE))

    call = shop.call()
    await shop.first_sent()
    await shop.other.wait_for_calls(1)
    shop.slow.gate.set()

    assert await call == f"{shop.slow.name}:x".encode()


async def test_a_fatal_error_is_the_answer(start: Start, open_to: Open) -> None:
    """NOT_FOUND is an answer: nobody waits for the other."""
    shop = await world(start, open_to)
    shop.other.script.append(Refusal(StatusCode.NOT_FOUND))

    call = shop.call()
    await shop.first_sent()

    with pytest.raises(grpc.aio.AioRpcError, match="NOT_FOUND"):
        await call
    await shop.slow.was_cancelled()


async def test_pushback_of_either_stops(start: Start, open_to: Open) -> None:
    """One says "don't try again", the other fails too: that is the end, also for retry."""
    shop = await world(start, open_to)
    shop.other.script.append(Refusal(StatusCode.UNAVAILABLE, STOP))
    shop.slow.script.append(Refusal(StatusCode.UNAVAILABLE))

    call = shop.call()
    await shop.first_sent()
    await shop.other.wait_for_calls(1)
    await shop.until_in_flight(1)
    shop.slow.gate.set()

    with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
        await call
    assert (len(shop.slow.seen), len(shop.other.seen)) == (1, 1)


async def test_after_both_failed_retry_goes_on(start: Start, open_to: Open) -> None:
    """With the right number in the header."""
    shop = await world(start, open_to)
    refusal = Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "0"),))
    shop.other.script.append(refusal)
    shop.slow.script.append(refusal)

    call = shop.call()
    await shop.first_sent()
    await shop.other.wait_for_calls(1)
    shop.slow.gate.set()

    assert await call in (b"a:x", b"b:x")
    headers = [
        int(seen.metadata.get("x-discovery-attempt", 0))
        for seen in (*shop.slow.seen, *shop.other.seen)
    ]
    assert sorted(headers) == [0, 1, 2]


async def test_retry_goes_elsewhere_than_both(start: Start, open_to: Open) -> None:
    """Both were tried, whoever of them came first."""
    shop = await world(start, open_to, names="abc")
    refusal = Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "0"),))
    shop.other.script.append(refusal)
    shop.slow.script.append(refusal)

    call = shop.call()
    await shop.first_sent()
    await shop.other.wait_for_calls(1)
    shop.slow.gate.set()

    (third,) = shop.others
    assert await call == f"{third.name}:x".encode()


async def test_cancelling_the_call_cancels_both(start: Start, open_to: Open) -> None:
    """Nothing is left behind."""
    shop = await world(start, open_to)
    shop.other.gate.clear()

    call = shop.call()
    await shop.first_sent()
    await shop.other.wait_for_calls(1)
    call.cancel()

    await shop.slow.was_cancelled()
    await shop.other.was_cancelled()
    with pytest.raises(asyncio.CancelledError):
        await call
