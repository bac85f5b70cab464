"""A `Processor` that is scripted by payment method and keeps its own entries.

    pm_visa, pm_mastercard    approves
    pm_insufficient_funds     declines: INSUFFICIENT_FUNDS
    pm_expired_card           declines: EXPIRED_CARD
    pm_lost_card              declines: LOST_OR_STOLEN
    pm_fraud                  declines: SUSPECTED_FRAUD
    pm_do_not_honor           declines: DO_NOT_HONOR
    pm_slow                   approves, 1.5 s after each time it is asked
    pm_unavailable_before     the first 2 calls of each key fail before their effect
    pm_unavailable_after      the first call of each key fails after its effect is committed
    pm_expiring               approves; the authorization runs out after 1 s
    pm_capture_declined       approves; a capture is certainly refused: capture_declined
    pm_refund_declined        approves; a refund is refused for good: refund_declined
    anything else             declines: UNKNOWN_METHOD

An authorization that expired by this processor's clock answers EXPIRED to capture and void. A void
of an unknown authorize is stored as a fence: the late authorize then answers Voided.

The entries are in a SQLite file that instances share. Every answer is committed (synchronous=FULL)
before it is returned. A key has one effect per method, and a repeated call gets the first answer.
The number of calls per key is in the file, too, so that instances agree on the script.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeVarTuple

from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.domain.money import Money
from services.chassis.opening import prepared
from services.chassis.store.database import Database, StoreOverloadedError, StoreUnavailableError
from services.chassis.store.unit.needs import Needs
from services.payment.domain.commands import Evidence
from services.payment.domain.state import NO_MONEY
from services.payment.processor.port import ProcessorUnavailableError
from services.payment.processor.simulated.entry_table import (
    ProcessorEntry,
    create_tables,
    list_entries,
    needs_of,
)
from services.payment.processor.simulated.scripted_answers import (
    SLOW,
    CommittedAnswer,
    KeyedCall,
    authorize,
    capture,
    refund,
    void,
)

SLOW_S = 1.5

Ts = TypeVarTuple("Ts")


class SimulatedProcessor:
    """Implements `Processor`; make it with `open_simulated_processor`."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def authorize(
        self,
        *,
        key: str,
        order_id: str,
        amount: Money,
        payment_method: str,
        expire_after: timedelta,
    ) -> Evidence:
        """Set money aside, or decline, as the script of `payment_method` says."""
        if payment_method == SLOW:
            await self._clock.sleep(SLOW_S)
        call = KeyedCall(key, amount, self._clock.now())
        needs = needs_of("authorize", key)
        return await self._call(needs, authorize, call, order_id, payment_method, expire_after)

    async def capture(self, *, key: str, authorization_reference: str, amount: Money) -> Evidence:
        """Capture what is set aside."""
        call = KeyedCall(key, amount, self._clock.now())
        needs = needs_of("capture", key, authorization_reference)
        return await self._call(needs, capture, call, authorization_reference)

    async def void(
        self,
        *,
        key: str,
        authorize_key: str,
        authorization_reference: str,
    ) -> Evidence:
        """Release what is set aside, or fence the authorize that never came."""
        call = KeyedCall(key, NO_MONEY, self._clock.now())
        needs = needs_of("authorize", authorize_key, authorization_reference)
        return await self._call(needs, void, call, authorize_key)

    async def refund(self, *, key: str, authorization_reference: str, amount: Money) -> Evidence:
        """Refund captured money."""
        call = KeyedCall(key, amount, self._clock.now())
        needs = needs_of("refund", key, authorization_reference)
        return await self._call(needs, refund, call, authorization_reference)

    async def entries(self, after_sequence: int, limit: int) -> tuple[ProcessorEntry, ...]:
        """At most `limit` entries after `after_sequence`."""
        return await self._database.read(list_entries, after_sequence, limit)

    async def _call(
        self, needs: Needs, function: Callable[[Connection, *Ts], CommittedAnswer], *args: *Ts
    ) -> Evidence:
        """Commit the effect, then return the answer, unless the script loses it."""
        try:
            reply = await self._database.write(function, *args, needs=needs)
        except (StoreUnavailableError, StoreOverloadedError) as error:
            raise ProcessorUnavailableError(str(error)) from error
        if reply.evidence is None:
            raise ProcessorUnavailableError("scripted to be unavailable")
        return reply.evidence


@asynccontextmanager
async def open_simulated_processor(
    url: str, *, clock: Clock, owner: str, variable: str = "TRADEPOST_PROCESSOR_URL"
) -> AsyncIterator[SimulatedProcessor]:
    """Open the entries at `url` (sqlite:////path/file.db); close them when the block ends.

    `owner` names the process in thread names, `variable` is where the URL comes from. Raises
    SettingError.
    """
    async with prepared(
        url, _create, variable=variable, clock=clock, owner=f"{owner}-processor", readers=1
    ) as database:
        yield SimulatedProcessor(database=database, clock=clock)


async def _create(database: Database) -> None:
    await database.write(create_tables)
