"""What is pending is finished: through crashes, lost answers, silence and other instances."""

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
    """Whether the money is set aside."""
    return getattr(payment, "state", None) is PaymentState.AUTHORIZED


async def test_an_ordinary_authorize_is_two_commits_and_so_is_a_capture(
    databases: Databases,
) -> None:
    """The intent, and what the processor answered."""
    commits: list[None] = []
    async with instance(databases, MemoryProcessor()) as shop:
        shop.database.on_commit(lambda: commits.append(None))
        authorized = await ask(shop, payment_requests.authorize())
        assert len(commits) == 2
        captured = await ask(shop, payment_requests.capture(authorized.payment.payment_id))

    assert len(commits) == 4
    assert captured.payment.state is PaymentState.CAPTURED


async def test_what_a_crash_left_pending_is_finished_by_the_next_instance(
    databases: Databases,
) -> None:
    """The intent was written and nobody asks again: the driver finds it once the lease is over."""
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
    """The money was taken and nobody heard it; the same key hears it again."""
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
    """Unknown is not an answer: the same key is asked until there is one."""
    processor = MemoryProcessor()
    processor.fail_next, processor.lose_next = 1, 2
    async with instance(databases, processor) as shop:
        answer = await ask(shop, payment_requests.authorize())

    assert answer.payment.state is PaymentState.AUTHORIZED
    assert processor.book.effects[AuthorizeCall] == 1


async def test_a_processor_that_says_nothing_is_asked_again(databases: Databases) -> None:
    """Silence has a limit, and means unknown."""
    processor = MemoryProcessor()
    processor.gate.clear()
    async with instance(databases, processor, call_timeout_s=0.05) as shop:
        asked = await ask(shop, payment_requests.authorize(), within_s=0.05)
        await processor.asked(times=2)
        processor.gate.set()
        payment = await until(shop, asked.payment.payment_id, is_authorized)

    assert asked.payment.state is PaymentState.AUTHORIZING
    assert payment.state is PaymentState.AUTHORIZED


async def test_fifty_callers_with_one_request_id_set_money_aside_once(databases: Databases) -> None:
    """All of them get the same payment, one of them not as a replay."""
    processor = MemoryProcessor()
    request = payment_requests.authorize()
    async with instance(databases, processor) as shop:
        answers = await asyncio.gather(*(ask(shop, request) for _ in range(50)))

    assert len({answer.payment for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert processor.book.effects[AuthorizeCall] == 1


async def test_two_instances_share_one_database(databases: Databases) -> None:
    """Every request goes to both; each is carried out once, and both give the same answer."""
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


async def test_whoever_lost_the_lease_writes_nothing(databases: Databases) -> None:
    """An instance that slept through its lease finds its answer already written."""
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
    """The intent is driven, whoever waits for it."""
    processor = MemoryProcessor()
    processor.gate.clear()
    request = payment_requests.authorize()
    async with instance(databases, processor) as shop:
        caller = asyncio.create_task(ask(shop, request))
        await processor.asked()
        caller.cancel()
        processor.gate.set()
        answer = await ask(shop, request)

    assert answer.replayed
    assert answer.payment.state is PaymentState.AUTHORIZED
    assert processor.book.effects[AuthorizeCall] == 1


async def test_while_draining_work_is_left_to_others(databases: Databases) -> None:
    """A draining instance still writes intents, but leases them to nobody."""
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
    """Another one goes on at once, long before the lease would have expired."""
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
    """Both callers wait, and both hear what became of the payment."""
    processor = MemoryProcessor()
    processor.gate.clear()
    async with instance(databases, processor) as shop:
        authorizing = asyncio.create_task(ask(shop, payment_requests.authorize()))
        intent = await processor.asked()
        assert isinstance(intent, AuthorizeCall)
        unseen = payment_requests.void_unseen(intent.key, intent.order_id)
        noted = await ask(shop, unseen, within_s=0.05)
        processor.gate.set()
        voided = await ask(shop, unseen)
        authorized = await authorizing

    assert noted.payment.void_requested
    assert voided.payment.state is PaymentState.VOIDED
    assert authorized.payment.state is PaymentState.VOIDED
    assert processor.book.set_aside == 0


async def test_a_void_noted_while_capturing_follows_a_refused_capture(databases: Databases) -> None:
    """The capture is answered "not captured", and the money is let go."""
    processor = MemoryProcessor({CaptureCall: commands.NotCaptured("no")})
    async with instance(databases, processor) as shop:
        payment_id = (await ask(shop, payment_requests.authorize())).payment.payment_id
        processor.gate.clear()
        capture = payment_requests.capture(payment_id)
        await ask(shop, capture, within_s=0.05)
        void = payment_requests.void(payment_id)
        noted = await ask(shop, void, within_s=0.05)
        processor.gate.set()
        voided = await ask(shop, void)
        captured = await ask(shop, capture)

    assert noted.payment.void_requested
    assert voided.payment.state is PaymentState.VOIDED
    answer = captured.payment.capture(capture.request_id)
    assert answer is not None
    assert answer.refusal is not None
    assert answer.refusal.reason is RefusalReason.NOT_CAPTURED


async def test_a_tombstone_keeps_the_late_authorize_out_everywhere(databases: Databases) -> None:
    """It is refused here without asking, and fenced at the processor."""
    processor = MemoryProcessor()
    late = payment_requests.authorize()
    async with instance(databases, processor) as shop:
        voided = await ask(shop, payment_requests.void_unseen(late.request_id, late.order_id))
        refused = await ask(shop, late)
        again = await ask(shop, late)
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
    """Nothing is written but the mark; it is asked again, slowly."""
    processor = MemoryProcessor({AuthorizeCall: commands.Captured()})
    async with instance(databases, processor) as shop:
        asked = await ask(shop, payment_requests.authorize(), within_s=0.05)
        await processor.asked(times=2)
        lease = await shop.database.read(shop.leases.get, asked.payment.payment_id)

    assert asked.payment.state is PaymentState.AUTHORIZING
    assert lease is not None
    assert lease.needs_review


async def test_a_late_authorize_never_reaches_the_processor(databases: Databases) -> None:
    """After the order's deadline the refusal is stored, and a duplicate gets the same one."""
    processor = MemoryProcessor()
    late = payment_requests.authorize(deadline=payment_requests.LAST_CENTURY)
    async with instance(databases, processor) as shop:
        refused = await ask(shop, late)
        again = await ask(shop, late)

    assert refused.payment.state is PaymentState.DECLINED
    assert refused.payment.refusal is not None
    assert refused.payment.refusal.reason is RefusalReason.ORDER_DEADLINE_PASSED
    assert again.payment == refused.payment
    assert again.replayed
    assert processor.calls == []
