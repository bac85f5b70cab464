"""One payment with its events and postings, in memory."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from services.chassis.domain.money import Money
from services.payment.domain import commands
from services.payment.domain.events import Event
from services.payment.domain.evolution import evolve
from services.payment.domain.ledger import Account, Posting, postings
from services.payment.domain.rules import decide
from services.payment.domain.state import Origin, Payment

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
ORDER = "ord_1"
PAYMENT = "pay_1"
PRICE = Money("USD", 1000)


def authorize(
    request_id: str = "authorize_1", *, deadline: datetime | None = None
) -> commands.Authorize:
    """Set 10.00 USD aside."""
    return commands.Authorize(
        request_id=request_id,
        payment_id=PAYMENT,
        order_id=ORDER,
        customer_id="ann",
        amount=PRICE,
        payment_method="pm_visa",
        expire_after=WEEK,
        order_deadline_time=deadline,
        origin=Origin.ORCHESTRATED,
    )


def capture(request_id: str = "capture_1") -> commands.Capture:
    """Capture it."""
    return commands.Capture(request_id=request_id, payment_id=PAYMENT)


def void(request_id: str = "void_1") -> commands.Void:
    """Void it."""
    return commands.Void(request_id=request_id, payment_id=PAYMENT, reason="no more")


def void_unseen(request_id: str = "void_1") -> commands.Void:
    """Void by the request_id of an authorize, whether or not it ever came."""
    return commands.Void(
        request_id=request_id,
        payment_id=PAYMENT,
        authorize_request_id="authorize_1",
        order_id=ORDER,
    )


def refund(
    minor_units: int | None = None, request_id: str = "refund_1", *, currency: str = "USD"
) -> commands.Refund:
    """Refund all or part of it."""
    amount = None if minor_units is None else Money(currency, minor_units)
    return commands.Refund(
        request_id=request_id, payment_id=PAYMENT, refund_id=f"ref_{request_id}", amount=amount
    )


AUTHORIZED = commands.Authorized("sim_1", NOON + WEEK)


class PaymentInMemory:
    """A payment that applies commands as the store does."""

    def __init__(self, *given: commands.Command) -> None:
        self.found: Payment | None = None
        self.events: list[Event] = []
        self.posted: list[Posting] = []
        for command in given:
            self.apply(command)

    @property
    def payment(self) -> Payment:
        """The payment, which must exist."""
        assert self.found is not None
        return self.found

    def apply(self, command: commands.Command, *, now: datetime = NOON) -> tuple[Event, ...]:
        """Decide a command and apply its events; returns the events."""
        happened = decide(command, self.found, now=now)
        for event in happened:
            self.posted += postings(self.found, event)
            self.found = evolve(self.found, event, now)
        self.events += happened
        return happened

    def balance(self, account: Account) -> int:
        """Debits minus credits of one account, in minor units."""
        sides: Counter[Account] = Counter()
        for posting in self.posted:
            sides[posting.debit] += posting.amount.minor_units
            sides[posting.credit] -= posting.amount.minor_units
        return sides[account]
