"""A processor in memory that does as it is told, and loses answers when it is told to."""

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
from services.payment.domain.intents import AskAuthorize, AskCapture, AskRefund, AskVoid, Intent
from services.payment.processor.port import ProcessorUnavailableError

EXPIRE_TIME = datetime(2030, 1, 1, tzinfo=UTC)


class Book:
    """The effects of keyed calls, without waiting and without failures.

    `script` exchanges the answer to one kind of question: `{AskCapture: NotCaptured("no")}`.
    Amounts are in minor units.
    """

    def __init__(self, script: Mapping[type[Intent], Evidence] | None = None) -> None:
        self.script = dict(script or {})
        self.answers: dict[tuple[type[Intent], str], Evidence] = {}
        self.is_expired = False
        self._set_aside: dict[str, int] = {}
        self.captured = 0
        self.refunded = 0
        self.effects: Counter[type[Intent]] = Counter()

    @property
    def set_aside(self) -> int:
        """Of all authorizations together."""
        return sum(self._set_aside.values())

    def answer(self, intent: Intent) -> Evidence:
        """The answer of the first call with this key."""
        asked = (type(intent), intent.key)
        if asked not in self.answers:
            self.answers[asked] = self._do(intent)
            self.effects[type(intent)] += 1
        return self.answers[asked]

    def _do(self, intent: Intent) -> Evidence:
        if type(intent) in self.script:
            return self.script[type(intent)]
        match intent:
            case AskAuthorize():
                self._set_aside[f"ref_{intent.key}"] = intent.amount.minor_units
                return Authorized(f"ref_{intent.key}", EXPIRE_TIME)
            case AskCapture() | AskVoid() if self.is_expired:
                self._set_aside.pop(intent.authorization_reference, None)
                return Expired()
            case AskCapture():
                self.captured += self._set_aside.pop(intent.authorization_reference)
                return Captured()
            case AskVoid():
                self._set_aside.pop(intent.authorization_reference, None)
                return Voided()
            case AskRefund():
                self.refunded += intent.amount.minor_units
                return Refunded(intent.key)


class MemoryProcessor:
    """Implements `Processor` on a `Book`.

    Calls wait in front of a closed `gate`, before their effect; `asked` waits for them to come.
    `fail_next` calls fail before their effect, the answers of `lose_next` are lost after it; with
    `luck` every fifth call fails or loses its answer.
    """

    def __init__(
        self,
        script: Mapping[type[Intent], Evidence] | None = None,
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
        self.calls: list[Intent] = []

    async def authorize(
        self,
        *,
        key: str,
        order_id: str,
        amount: Money,
        payment_method: str,
        expire_after: timedelta,
    ) -> Evidence:
        return await self._call(AskAuthorize(key, order_id, amount, payment_method, expire_after))

    async def capture(self, *, key: str, authorization_reference: str, amount: Money) -> Evidence:
        return await self._call(AskCapture(key, authorization_reference, amount))

    async def void(self, *, key: str, authorize_key: str, authorization_reference: str) -> Evidence:
        return await self._call(AskVoid(key, authorize_key, authorization_reference))

    async def refund(self, *, key: str, authorization_reference: str, amount: Money) -> Evidence:
        return await self._call(AskRefund(key, authorization_reference, amount))

    async def asked(self, times: int = 1) -> Intent:
        """Wait until it was asked so often; answers the last question of these."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.calls) >= times)
        return self.calls[times - 1]

    async def _call(self, intent: Intent) -> Evidence:
        async with self._came:
            self.calls.append(intent)
            self._came.notify_all()
        await self.gate.wait()
        if self._luck is not None:
            self.fail_next, self.lose_next = self._luck.choices(
                ((0, 0), (1, 0), (0, 1)), weights=(8, 1, 1)
            )[0]
        if self.fail_next:
            self.fail_next -= 1
            raise ProcessorUnavailableError("out of order")
        evidence = self.book.answer(intent)
        if self.lose_next:
            self.lose_next -= 1
            raise ProcessorUnavailableError("the line went dead")
        return evidence
