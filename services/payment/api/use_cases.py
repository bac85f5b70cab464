"""What the RPCs do: write the request, wait until its outcome is known, and return the payment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from discovery.clock import Clock
from services.chassis.log.tailer import Follower, Tailer
from services.chassis.request.intention import Intention
from services.chassis.request.patience import patience_s
from services.chassis.request.slot import slot_released
from services.chassis.store.database import Database
from services.chassis.work.driver import Driver
from services.chassis.work.latest_states import LatestStates
from services.payment.domain import commands
from services.payment.domain.state import UNDECIDED, Payment, RefundState
from services.payment.store.payment_writes import PaymentWrites, WrittenPayment, load


@dataclass(frozen=True, slots=True)
class PaymentAnswer:
    """The current payment; `replayed` says that the request had been carried out before."""

    payment: Payment
    replayed: bool


class PaymentUseCases:
    """Carries out requests; all methods run on the event loop of `database`."""

    def __init__(
        self,
        *,
        database: Database,
        store: PaymentWrites,
        tailer: Tailer,
        driver: Driver,
        latest: LatestStates[Payment],
        clock: Clock,
    ) -> None:
        self._database = database
        self._store = store
        self._tailer = tailer
        self._driver = driver
        self._latest = latest
        self._clock = clock

    async def carry_out(
        self, intention: Intention[commands.Request], *, time_remaining_s: float | None
    ) -> PaymentAnswer:
        """Write the request and wait until it is no longer pending, or shortly before the deadline.

        The request outlives the call: the driver goes on when a caller stops waiting. Raises what
        `PaymentWrites.carry_out` raises.
        """
        until_s = self._clock.monotonic() + patience_s(time_remaining_s)
        with self._following(intention.command.payment_id) as follower:
            carry_out = partial(self._store.carry_out, leased=not self._driver.draining)
            needs = self._store.needs(intention)
            outcome = await self._database.write(carry_out, intention, needs=needs, then=self.begin)
            payment = outcome.payment
            if payment.payment_id == follower.stream:
                payment = await self._settled(payment, intention.command, follower, until_s)
                return PaymentAnswer(payment, outcome.replayed)
        # The request does not name the payment by its id, which is known only now.
        with self._following(payment.payment_id) as follower:
            payment = await self._database.read(load, payment.payment_id, snapshot=False)
            payment = await self._settled(payment, intention.command, follower, until_s)
            return PaymentAnswer(payment, outcome.replayed)

    def begin(self, outcome: WrittenPayment) -> None:
        """Start the work of a committed write, and publish the payment to waiting callers."""
        self._latest.record(outcome.payment.payment_id, outcome.payment)
        if outcome.claim is not None:
            self._driver.start(outcome.claim)

    @contextmanager
    def _following(self, payment_id: str) -> Iterator[Follower]:
        with self._latest.awaiting(payment_id), self._tailer.follow(payment_id) as follower:
            yield follower

    async def _settled(
        self, payment: Payment, command: commands.Request, follower: Follower, until_s: float
    ) -> Payment:
        is_pending = _pending(command)
        while is_pending(payment) and (left_s := until_s - self._clock.monotonic()) > 0:
            with slot_released():
                change = await follower.wait(after_version=payment.version, timeout_s=left_s)
            if change is None:
                break
            payment = await self._newest(payment.payment_id, change.version)
        return payment

    async def _newest(self, payment_id: str, version: int) -> Payment:
        known = self._latest.newest(payment_id, version=version)
        if known is not None:
            return known
        return await self._database.read(load, payment_id, snapshot=False)


def _pending(command: commands.Request) -> Callable[[Payment], bool]:
    """A function that says whether the outcome that the caller waits for is unknown."""
    match command:
        case commands.Refund(request_id=request_id):
            return lambda payment: _is_refund_pending(payment, request_id)
        case _:
            return lambda payment: payment.state in UNDECIDED


def _is_refund_pending(payment: Payment, request_id: str) -> bool:
    refund = payment.refund(request_id)
    return refund is not None and refund.state is RefundState.PENDING
