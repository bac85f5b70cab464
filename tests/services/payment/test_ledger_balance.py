"""Many payments at once on two instances, with failures and a crash."""

import asyncio
import random
from collections import Counter

import pytest

from services.payment.domain.ledger import Account, LedgerEntry, Side
from services.payment.domain.processor_calls import AuthorizeCall, CaptureCall
from services.payment.domain.queries import LedgerFilter, PaymentFilter
from services.payment.domain.state import Payment, PaymentState
from services.payment.parts import Parts
from services.payment.store.ledger_entries import list_entries
from services.payment.store.payment_listing import list_payments
from tests.support.payment import payment_requests
from tests.support.payment.payment_instances import ask, instance, until
from tests.support.payment.scripted_processor import Book, MemoryProcessor
from tests.support.store.databases import Databases

ORDERS = 16


async def shop_for_one(parts: tuple[Parts, Parts], rng: random.Random) -> None:
    """Pay one order; each request goes to a random instance, and some go to both."""

    async def send(request: payment_requests.Request, *, within_s: float = 20.0) -> Payment:
        targets = rng.sample(parts, k=rng.choice((1, 2)))
        answers = await asyncio.gather(
            *(ask(target, request, within_s=within_s) for target in targets)
        )
        assert len({answer.payment.payment_id for answer in answers}) == 1
        return max((answer.payment for answer in answers), key=lambda payment: payment.version)

    request = payment_requests.authorize(minor_units=rng.randint(1, 5000))
    ending = rng.choice(("capture", "refund", "void", "void early"))
    if ending == "void early":
        unseen = payment_requests.void_unseen(request.request_id, request.order_id)
        await asyncio.gather(send(request), send(unseen))
        return
    payment = await send(request)
    if ending == "void":
        await send(payment_requests.void(payment.payment_id))
        return
    await send(payment_requests.capture(payment.payment_id))
    if ending == "refund":
        half = payment.amount.minor_units // 2
        await asyncio.gather(
            *(
                send(payment_requests.refund(payment.payment_id, part))
                for part in (half, payment.amount.minor_units - half)
                if part
            )
        )


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_ledger_is_the_processors_book(databases: Databases, seed: int) -> None:
    """The ledger agrees with the processor after failures, lost answers and a crash."""
    rng, book = random.Random(seed), Book()

    def processor() -> MemoryProcessor:
        return MemoryProcessor(book=book, luck=random.Random(seed))

    async with instance(databases, processor(), name="one", lease_s=1.0) as one:
        async with instance(databases, processor(), name="two", lease_s=1.0) as two:
            shoppers = [shop_for_one((one, two), rng) for _ in range(ORDERS)]
            await asyncio.gather(*shoppers)
            late = [payment_requests.authorize() for _ in range(5)]
            started = await asyncio.gather(*(ask(two, each, within_s=0.001) for each in late))
        for answer in started:
            await until(one, answer.payment.payment_id, lambda payment: not payment.is_pending)
        payments = await one.database.read(
            list_payments, PaymentFilter(1000, "", frozenset(), None)
        )
        entries = await one.database.read(list_entries, LedgerFilter(1000, "", 0))

    balance = balances(entries)
    assert sum(balance.values()) == 0
    assert balance[Account.AUTHORIZED] == book.set_aside
    assert balance[Account.PROCESSOR_CLEARING] == book.captured - book.refunded
    assert len(payments) == ORDERS + len(late)
    assert not any(payment.is_pending for payment in payments)
    captured = [payment for payment in payments if payment.state is PaymentState.CAPTURED]
    assert sum(payment.captured_minor for payment in captured) == book.captured
    assert sum(payment.refunded_minor for payment in captured) == book.refunded
    assert book.effects[CaptureCall] == len(captured)
    assert book.effects[AuthorizeCall] <= len(payments)


def balances(entries: tuple[LedgerEntry, ...]) -> Counter[Account]:
    """Debits minus credits of each account, in minor units."""
    sums: Counter[Account] = Counter()
    for entry in entries:
        sign = 1 if entry.side is Side.DEBIT else -1
        sums[entry.account] += sign * entry.amount.minor_units
    return sums
