"""The calls of `./scripts/bench discovery`: their number, their time, and what is recorded of
them.
"""

import asyncio

import grpc

from discovery.aio.call_status import snapshot
from discovery.clock import SystemClock
from scripts.benchmarks.discovery.load import closed, steady

RATE_PER_S = 1_000.0


async def test_callers_wait_for_their_answers() -> None:
    """Each caller waits for its answer, so no more calls are open than there are callers."""
    open_now = most = 0

    async def send() -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0)
        open_now -= 1

    turn = await closed(send, calls=20, concurrency=4, clock=SystemClock())

    assert (turn.calls, turn.failed, most) == (20, 0, 4)
    assert turn.cpu_s > 0


async def test_a_failure_is_a_status_and_not_the_end() -> None:
    """A failed call is counted by its status, and the others go on."""
    answers = iter([None, grpc.StatusCode.UNAVAILABLE, None, grpc.StatusCode.UNAVAILABLE])

    async def send() -> None:
        code = next(answers)
        if code is not None:
            raise snapshot(code)

    turn = await closed(send, calls=4, concurrency=1, clock=SystemClock())

    assert turn.codes == {"OK": 2, "UNAVAILABLE": 2}
    assert turn.failed == 2


async def test_calls_are_sent_when_they_are_due_whatever_became_of_others() -> None:
    """Calls that are due are sent even if no earlier call is answered."""
    sent = 0
    all_sent = asyncio.Event()

    async def send() -> None:
        nonlocal sent
        sent += 1
        if sent == 10:
            all_sent.set()
        await all_sent.wait()

    turn = await steady(send, rate_per_s=RATE_PER_S, window_s=0.01, clock=SystemClock())

    assert turn.calls == 10


async def test_waiting_counts_from_when_a_call_was_due() -> None:
    """A latency counts from the planned instant, so a client that falls behind doesn't hide it."""

    async def send() -> None: ...

    turn = await steady(send, rate_per_s=RATE_PER_S, window_s=0.005, clock=SystemClock())
    due_s = sorted(due for due, _, _ in turn.ended)

    assert [round(RATE_PER_S * (due - due_s[0])) for due in due_s] == [0, 1, 2, 3, 4]
    assert all(took_s > 0 for _, took_s, _ in turn.ended)


async def test_a_turn_can_be_ended() -> None:
    """When the turn is ended, calls that are not due yet are never sent."""
    over = asyncio.Event()

    async def send() -> None:
        over.set()

    turn = await steady(
        send, rate_per_s=RATE_PER_S, window_s=3_600.0, clock=SystemClock(), until=over
    )

    assert 1 <= turn.calls < 1_000
