"""The driver finishes pending payments after crashes, lost answers and timeouts."""

import asyncio

from services.payment.domain import commands
from services.payment.domain.processor_calls import AuthorizeCall, CaptureCall, VoidCall
from services.payment.domain.queries import LedgerFilter
from services.payment.domain.state import PaymentState, RefusalReason
from services.payment.store.ledger_entries import list_entries
from tests.support.payment import payment_requests
from tests.support.payment.payment_instances import ask, instance, until
from tests.support.payment.scripted_processor import MemoryProcessor
from tests.support.store.databases import Databases


def is_authorized(payment: object) -> bool:
    """Whether the payment is authorized."""
    return getattr(payment, "state", None) is PaymentState.AUTHORIZED


async def test_an_ordinary_authorize_is_two_commits_and_so_is_a_capture(
    databases: Databases,
) -> None:
    """Each request commits twice: the request, and the answer of the processor."""
    commits: list[None] = []
    async with instance(databases, MemoryProcessor()) as running:
        running.database.on_commit(lambda: commits.append(None))
        authorized = await ask(running, payment_requests.authorize())
        assert len(commits) == 2
        captured = await ask(running, payment_requests.capture(authorized.payment.payment_id))

    assert len(commits) == 4
    assert captured.payment.state is PaymentState.CAPTURED


async def test_what_a_crash_left_pending_is_finished_by_the_next_instance(
    databases: Databases,
) -> None:
    """The next instance finds the pending payment by polling once its lease has expired."""
    processor = MemoryProcessor()
    processor.gate.clear()
    async with instance(databases, processor, lease_s=0.2) as first:
        answer = await ask(first, payment_requests.authorize(), within_s=0.05)
        await processor.asked()
    processor.gate.set()

    async with instance(databases, processor, name="two") as second:
        payment = await until(second, answer.payment.payment_id, is_authorized)

    assert answer.payment.state is PaymentState.AUTHORIZING
    assert payment.state is PaymentState.AUTHORIZED
    assert processor.book.effects[AuthorizeCall] == 1


async def test_a_crash_after_the_effect_doubles_nothing(databases: Databases) -> None:
    """A capture whose answer was lost is repeated under its key and captures nothing more."""
    processor = MemoryProcessor()
    async with instance(databases, processor, lease_s=0.2) as first:
        payment_id = (await ask(first, payment_requests.authorize())).payment.payment_id
        processor.lose_next = 1
        request = payment_requests.capture(payment_id)
        await ask(first, request, within_s=0.05)
    async with instance(databases, processor, name="two") as second:
        answer = await ask(second, request)

    assert answer.replayed
    assert answer.payment.state is PaymentState.CAPTURED
    assert processor.book.effects[CaptureCall] == 1


async def test_lost_answers_and_failures_are_asked_again(databases: Databases) -> None:
    """A call with an unknown outcome is repeated under its key until there is an answer."""
    processor = MemoryProcessor()
    processor.fail_next, processor.lose_next = 1, 2
    async with instance(databases, processor) as running:
        answer = await ask(running, payment_requests.authorize())

    assert answer.payment.state is PaymentState.AUTHORIZED
    assert processor.book.effects[AuthorizeCall] == 1


async def test_a_processor_that_says_nothing_is_asked_again(databases: Databases) -> None:
    """A call that takes too long has an unknown outcome and is repeated."""
    processor = MemoryProcessor()
    processor.gate.clear()
    async with instance(databases, processor, call_timeout_s=0.05) as running:
        asked = await ask(running, payment_requests.authorize(), within_s=0.05)
        await processor.asked(times=2)
        processor.gate.set()
        payment = await until(running, asked.payment.payment_id, is_authorized)

    assert asked.payment.state is PaymentState.AUTHORIZING
    assert payment.state is PaymentState.AUTHORIZED


async def test_fifty_callers_with_one_request_id_set_money_aside_once(databases: Databases) -> None:
    """All callers get the same payment, and exactly one answer is not a replay."""
    processor = MemoryProcessor()
    request = payment_requests.authorize()
    async with instance(databases, processor) as running:
        answers = await asyncio.gather(*(ask(running, request) for _ in range(50)))

    assert len({answer.payment for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert processor.book.effects[AuthorizeCall] == 1


async def test_two_instances_share_one_database(databases: Databases) -> None:
    """A request that goes to both instances is carried out once, with the same answer from both."""
    processor = MemoryProcessor()
    wanted = [payment_requests.authorize() for _ in range(20)]
    async with (
        instance(databases, processor, name="one") as one,
        instance(databases, processor, name="two") as two,
    ):
        first, second = await asyncio.gather(
            asyncio.gather(*(ask(one, request) for request in wanted)),
            asyncio.gather(*(ask(two, request) for request in reversed(wanted))),
        )

    assert [answer.payment for answer in first] == [answer.payment for answer in reversed(second)]
    assert {answer.payment.state for answer in first} == {PaymentState.AUTHORIZED}
    assert processor.book.effects[AuthorizeCall] == len(wanted)


async def test_an_instance_without_the_lease_writes_nothing(databases: Databases) -> None:
    """An instance whose lease expired during a call writes nothing."""
    sleeper = MemoryProcessor()
    sleeper.gate.clear()
    async with (
        instance(databases, sleeper, name="one", lease_s=0.1) as one,
        instance(databases, MemoryProcessor(book=sleeper.book), name="two") as two,
    ):
        asked = await ask(one, payment_requests.authorize(), within_s=0.05)
        payment_id = asked.payment.payment_id
        await until(two, payment_id, is_authorized)
        sleeper.gate.set()
        captured = await ask(one, payment_requests.capture(payment_id))
        entries = await one.database.read(list_entries, LedgerFilter(50, payment_id, 0))

    assert captured.payment.state is PaymentState.CAPTURED
    assert len(entries) == 6


async def test_a_caller_that_gives_up_leaves_nothing_undone(databases: Databases) -> None:
    """A request is driven to its end after its caller has stopped waiting."""
    processor = MemoryProcessor()
    processor.gate.clear()
    request = payment_requests.authorize()
    async with instance(databases, processor) as running:
        caller = asyncio.create_task(ask(running, request))
        await processor.asked()
        caller.cancel()
        processor.gate.set()
        answer = await ask(running, request)

    assert answer.replayed
    assert answer.payment.state is PaymentState.AUTHORIZED
    assert processor.book.effects[AuthorizeCall] == 1


async def test_while_draining_work_is_left_to_others(databases: Databases) -> None:
    """A draining instance writes requests and leaves their work to other instances."""
    processor = MemoryProcessor()
    async with (
        instance(databases, processor, name="one") as one,
        instance(databases, processor, name="two") as two,
    ):
        await one.driver.drain()
        answer = await ask(one, payment_requests.authorize())
        lease = await two.database.read(two.leases.get, answer.payment.payment_id)

    assert answer.payment.state is PaymentState.AUTHORIZED
    assert lease is None


async def test_a_drained_instance_gives_its_leases_back(databases: Databases) -> None:
    """Another instance goes on at once, long before the lease would have expired."""
    silent = MemoryProcessor()
    silent.gate.clear()
    async with instance(databases, silent, name="one", lease_s=600, call_timeout_s=0.2) as one:
        asked = await ask(one, payment_requests.authorize(), within_s=0.05)
        await one.driver.drain()
        async with instance(databases, MemoryProcessor(), name="two") as two:
            payment = await until(two, asked.payment.payment_id, is_authorized)

    assert payment.state is PaymentState.AUTHORIZED


async def test_a_void_while_authorizing_is_carried_out_after_the_answer(
    databases: Databases,
) -> None:
    """The caller of the void and the caller of the authorize both get the outcome."""
    processor = MemoryProcessor()
    processor.gate.clear()
    async with instance(databases, processor) as running:
        authorizing = asyncio.create_task(ask(running, payment_requests.authorize()))
        call = await processor.asked()
        assert isinstance(call, AuthorizeCall)
        unseen = payment_requests.void_unseen(call.key, call.order_id)
        noted = await ask(running, unseen, within_s=0.05)
        processor.gate.set()
        voided = await ask(running, unseen)
        authorized = await authorizing

    assert noted.payment.void_requested
    assert voided.payment.state is PaymentState.VOIDED
    assert authorized.payment.state is PaymentState.VOIDED
    assert processor.book.set_aside == 0


async def test_a_void_noted_while_capturing_follows_a_refused_capture(databases: Databases) -> None:
    """A void that waits for a capture is carried out when the capture is refused."""
    processor = MemoryProcessor({CaptureCall: commands.NotCaptured("no")})
    async with instance(databases, processor) as running:
        payment_id = (await ask(running, payment_requests.authorize())).payment.payment_id
        processor.gate.clear()
        capture = payment_requests.capture(payment_id)
        await ask(running, capture, within_s=0.05)
        void = payment_requests.void(payment_id)
        noted = await ask(running, void, within_s=0.05)
        processor.gate.set()
        voided = await ask(running, void)
        captured = await ask(running, capture)

    assert noted.payment.void_requested
    assert voided.payment.state is PaymentState.VOIDED
    answer = captured.payment.capture(capture.request_id)
    assert answer is not None
    assert answer.refusal is not None
    assert answer.refusal.reason is RefusalReason.NOT_CAPTURED


async def test_a_tombstone_keeps_the_late_authorize_out_everywhere(databases: Databases) -> None:
    """A tombstone refuses a late authorize without a call, and fences it at the processor."""
    processor = MemoryProcessor()
    late = payment_requests.authorize()
    async with instance(databases, processor) as running:
        voided = await ask(running, payment_requests.void_unseen(late.request_id, late.order_id))
        refused = await ask(running, late)
        again = await ask(running, late)
        fence = await processor.asked()

    assert voided.payment.state is PaymentState.VOIDED
    assert refused.payment == voided.payment
    assert refused.payment.refusal is not None
    assert refused.payment.refusal.reason is RefusalReason.AUTHORIZATION_FENCED
    assert not refused.replayed
    assert again.replayed
    assert isinstance(fence, VoidCall)
    assert fence.authorize_key == late.request_id
    assert processor.book.effects[AuthorizeCall] == 0


async def test_an_answer_that_contradicts_is_marked_for_review(databases: Databases) -> None:
    """Contradicting evidence only marks the lease for review; the call is repeated later."""
    processor = MemoryProcessor({AuthorizeCall: commands.Captured()})
    async with instance(databases, processor) as running:
        asked = await ask(running, payment_requests.authorize(), within_s=0.05)
        await processor.asked(times=2)
        lease = await running.database.read(running.leases.get, asked.payment.payment_id)

    assert asked.payment.state is PaymentState.AUTHORIZING
    assert lease is not None
    assert lease.needs_review


async def test_a_late_authorize_never_reaches_the_processor(databases: Databases) -> None:
    """An authorize after the order's deadline is refused without a call, every time."""
    processor = MemoryProcessor()
    late = payment_requests.authorize(deadline=payment_requests.LAST_CENTURY)
    async with instance(databases, processor) as running:
        refused = await ask(running, late)
        again = await ask(running, late)

    assert refused.payment.state is PaymentState.DECLINED
    assert refused.payment.refusal is not None
    assert refused.payment.refusal.reason is RefusalReason.ORDER_DEADLINE_PASSED
    assert again.payment == refused.payment
    assert again.replayed
    assert processor.calls == []
