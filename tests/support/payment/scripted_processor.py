"""A scripted processor in memory, which can fail calls and lose answers."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from services.chassis.domain.money import Money
from services.payment.domain.commands import (
    Authorized,
    Captured,
    Evidence,
    Expired,
    Refunded,
    Voided,
)
from services.payment.domain.processor_calls import (
    AuthorizeCall,
    CaptureCall,
    ProcessorCall,
    RefundCall,
    VoidCall,
)
from services.payment.processor.port import ProcessorUnavailableError

EXPIRE_TIME = datetime(2030, 1, 1, tzinfo=UTC)


class Book:
    """The effects of keyed calls, without waiting and without failures.

    `script` replaces the answer to one kind of call: `{CaptureCall: NotCaptured("no")}`.
    Amounts are in minor units.
    """

    def __init__(self, script: Mapping[type[ProcessorCall], Evidence] | None = None) -> None:
        self.script = dict(script or {})
        self.answers: dict[tuple[type[ProcessorCall], str], Evidence] = {}
        self.is_expired = False
        self._set_aside: dict[str, int] = {}
        self.captured = 0
        self.refunded = 0
        self.effects: Counter[type[ProcessorCall]] = Counter()

    @property
    def set_aside(self) -> int:
        """The amount set aside by all authorizations, in minor units."""
        return sum(self._set_aside.values())

    def answer(self, call: ProcessorCall) -> Evidence:
        """The answer of the first call with this key."""
        asked = (type(call), call.key)
        if asked not in self.answers:
            self.answers[asked] = self._do(call)
            self.effects[type(call)] += 1
        return self.answers[asked]

    def _do(self, call: ProcessorCall) -> Evidence:
        if type(call) in self.script:
            return self.script[type(call)]
        match call:
            case AuthorizeCall():
                self._set_aside[f"ref_{call.key}"] = call.amount.minor_units
                return Authorized(f"ref_{call.key}", EXPIRE_TIME)
            case CaptureCall() | VoidCall() if self.is_expired:
                self._set_aside.pop(call.authorization_reference, None)
                return Expired()
            case CaptureCall():
                self.captured += self._set_aside.pop(call.authorization_reference)
                return Captured()
            case VoidCall():
                self._set_aside.pop(call.authorization_reference, None)
                return Voided()
            case RefundCall():
                self.refunded += call.amount.minor_units
                return Refunded(call.key)


class MemoryProcessor:
    """Implements `Processor` on a `Book`.

    Calls wait in front of a closed `gate`, before their effect; `asked` waits for them to come.
    `fail_next` calls fail before their effect, the answers of `lose_next` are lost after it; with
    `luck` every fifth call fails or loses its answer.
    """

    def __init__(
        self,
        script: Mapping[type[ProcessorCall], Evidence] | None = None,
        *,
        book: Book | None = None,
        luck: random.Random | None = None,
    ) -> None:
        self.book = book or Book(script)
        self.gate = asyncio.Event()
        self.gate.set()
        self._luck = luck
        self._came = asyncio.Condition()
        self.fail_next = 0
        self.lose_next = 0
        self.calls: list[ProcessorCall] = []

    async def authorize(
        self,
        *,
        key: str,
        order_id: str,
        amount: Money,
        payment_method: str,
        expire_after: timedelta,
    ) -> Evidence:
        return await self._call(AuthorizeCall(key, order_id, amount, payment_method, expire_after))

    async def capture(self, *, key: str, authorization_reference: str, amount: Money) -> Evidence:
        return await self._call(CaptureCall(key, authorization_reference, amount))

    async def void(self, *, key: str, authorize_key: str, authorization_reference: str) -> Evidence:
        return await self._call(VoidCall(key, authorize_key, authorization_reference))

    async def refund(self, *, key: str, authorization_reference: str, amount: Money) -> Evidence:
        return await self._call(RefundCall(key, authorization_reference, amount))

    async def asked(self, times: int = 1) -> ProcessorCall:
        """Wait for that many calls; returns the last of them."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.calls) >= times)
        return self.calls[times - 1]

    async def _call(self, call: ProcessorCall) -> Evidence:
        async with self._came:
            self.calls.append(call)
            self._came.notify_all()
        await self.gate.wait()
        if self._luck is not None:
            self.fail_next, self.lose_next = self._luck.choices(
                ((0, 0), (1, 0), (0, 1)), weights=(8, 1, 1)
            )[0]
        if self.fail_next:
            self.fail_next -= 1
            raise ProcessorUnavailableError("out of order")
        evidence = self.book.answer(call)
        if self.lose_next:
            self.lose_next -= 1
            raise ProcessorUnavailableError("the line went dead")
        return evidence
