"""Orders against a simple model: commands in any order cause only legal changes of state."""

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.chassis.domain.money import Money
from services.chassis.log.event_log import StoredEvent
from services.order.domain import commands, errors, events
from services.order.domain.commands import Command, Terms
from services.order.domain.events import Coordination, Event, Line, Refusal, RefusalReason, Shortage
from services.order.domain.reviews import RESERVATION_ENDED, RESERVATION_FULFILLED, stock_is_gone
from services.order.domain.rules import decide, evolve
from services.order.domain.state import Order, Review
from services.order.wire.events import from_stored, to_new_event

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DEADLINE_S = 30
BUDGET_S = 30
TERMS = Terms(
    deadline=timedelta(seconds=DEADLINE_S),
    hold_ttl=timedelta(seconds=120),
    authorization_ttl=timedelta(days=7),
    capture_budget=timedelta(seconds=BUDGET_S),
)
TOTAL = Money("EUR", 700)
ASKED = (Line("tea", 7),)
LINES = (Line("tea", 7, "Tea", Money("EUR", 100), TOTAL),)
STEPS = ("reserve", "authorize", "commit", "capture", "void", "release", "fulfill", "refund")
REFUSALS = (
    Refusal(RefusalReason.INSUFFICIENT_STOCK, {"a": "b"}, (Shortage("tea", 7, 3),)),
    Refusal(RefusalReason.PAYMENT_DECLINED, {"decline_code": "DO_NOT_HONOR"}),
)

refusals = st.sampled_from(REFUSALS)
answers = st.one_of(
    st.just(commands.Reserved(LINES, TOTAL, NOON)),
    st.builds(commands.StepRefused, st.sampled_from(STEPS), refusals),
    st.integers(min_value=0, max_value=90).map(
        lambda left_s: commands.Authorized("pay_1", NOON + timedelta(seconds=left_s))
    ),
    st.just(commands.Committed()),
    st.just(commands.Captured(TOTAL)),
    st.builds(commands.NotCaptured, refusals),
    st.just(commands.Compensated()),
    st.just(commands.Fulfilled()),
    st.just(commands.Refunded(TOTAL)),
    st.just(commands.RefundFailed()),
    st.just(commands.RefundIncomplete()),
    st.just(commands.DeadlinePassed()),
    st.builds(
        commands.StepFailed, st.sampled_from(STEPS), st.sampled_from(["BROKEN", RESERVATION_ENDED])
    ),
    st.builds(commands.StepOverdue, st.sampled_from(STEPS)),
)

# The answer of a step that goes well.
EXPECTED: dict[str, Command] = {
    "RESERVING": commands.Reserved(LINES, TOTAL, NOON),
    "AUTHORIZING": commands.Authorized("pay_1", NOON + timedelta(days=1)),
    "COMMITTING": commands.Committed(),
    "CAPTURING": commands.Captured(TOTAL),
    "FULFILLING": commands.Fulfilled(),
}

# The next state for each state and each command that changes it; any other answer is late.
MOVES = {
    ("RESERVING", "Reserved"): "AUTHORIZING",
    ("RESERVING", "StepRefused(reserve)"): "REJECTED",
    ("AUTHORIZING", "Authorized"): "COMMITTING",
    ("AUTHORIZING", "StepRefused(authorize)"): "CANCELLING",
    ("COMMITTING", "StepRefused(commit)"): "CANCELLING",
    ("CAPTURING", "NotCaptured"): "CANCELLING",
    ("FULFILLING", "Fulfilled"): "FULFILLED",
    ("REFUNDING", "Refunded"): "REFUNDED",
    ("CANCELLING", "Captured"): "REFUNDING",
    ("REFUNDING", "Fulfilled"): "FULFILLED",
    ("RESERVING", "DeadlinePassed"): "CANCELLING",
    ("AUTHORIZING", "DeadlinePassed"): "CANCELLING",
    ("COMMITTING", "DeadlinePassed"): "CANCELLING",
    ("RESERVING", "Cancel"): "CANCELLING",
    ("AUTHORIZING", "Cancel"): "CANCELLING",
    ("COMMITTING", "Cancel"): "CANCELLING",
    ("CONFIRMED", "Cancel"): "REFUNDING",
    ("CONFIRMED", "Fulfill"): "FULFILLING",
    ("RESERVING", "StepFailed(reserve)"): "CANCELLING",
    ("AUTHORIZING", "StepFailed(authorize)"): "CANCELLING",
    ("COMMITTING", "StepFailed(commit)"): "CANCELLING",
}
FINAL = {"REJECTED", "CANCELLED", "FULFILLED", "REFUNDED", "RETURNED"}
SHIPPED = {"FULFILLING", "FULFILLED", "RETURNING", "RETURNED"}


class OrderMachine(RuleBasedStateMachine):
    """The model knows the state's name, whether a cancel waits, and what first ended the order."""

    def __init__(self) -> None:
        super().__init__()
        self.order = Order("ord_1")
        self.log: list[tuple[Event, datetime]] = []
        self.now = NOON
        self.state = "UNPLACED"
        self.cancel_waits = False
        self.ended_by = ""
        self.authorized_until = NOON
        self.units_left = LINES[0].quantity
        self.returning: list[int] = []

    def ask(self, command: Command) -> tuple[Event, ...]:
        """Decide and evolve, as the store does."""
        made = decide(self.order, command, now=self.now, terms=TERMS)
        for event in made:
            self.order = evolve(self.order, event, self.now)
            self.log.append((event, self.now))
        return made

    @initialize(steps=st.integers(min_value=0, max_value=7))
    def begin(self, steps: int) -> None:
        """Begin with an order of which some steps went well, so that every state is reached."""
        for _ in range(steps):
            match self.state:
                case "UNPLACED":
                    self.place()
                case "CONFIRMED":
                    self.fulfill()
                case state:
                    self.answer(EXPECTED[state])

    @precondition(lambda self: self.state == "UNPLACED")
    @rule()
    def place(self) -> None:
        """An order begins in RESERVING."""
        self.ask(commands.Place("ann", ASKED, "pm_visa", TOTAL, Coordination.ORCHESTRATED))
        self.state = "RESERVING"

    @rule(seconds=st.integers(min_value=1, max_value=20))
    def time_passes(self, seconds: int) -> None:
        """Time alone changes nothing."""
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.state != "UNPLACED")
    @rule()
    def cancel(self) -> None:
        """A customer may cancel at any time."""
        if self.state in SHIPPED and not stock_is_gone(self.order):
            try:
                self.ask(commands.Cancel("why"))
            except errors.OrderNotCancellableError:
                return
            raise AssertionError("an order that is shipped was cancelled")
        if self.state == "FULFILLING":
            self.state = "REFUNDING"
        self.ask(commands.Cancel("why"))
        self.cancel_waits |= self.state == "CAPTURING"
        self.moves("Cancel")

    @precondition(lambda self: self.state != "UNPLACED")
    @rule()
    def fulfill(self) -> None:
        """An operator may fulfill at any time."""
        try:
            self.ask(commands.Fulfill())
        except errors.OrderNotFulfillableError:
            assert self.state not in {"CONFIRMED", *SHIPPED}
            return
        self.moves("Fulfill")

    @precondition(lambda self: self.state != "UNPLACED")
    @rule()
    def retry(self) -> None:
        """An operator may retry at any time; where that can't help, it is refused."""
        review = self.order.review
        try:
            self.ask(commands.RetryStep())
        except errors.RetryCannotHelpError:
            assert stock_is_gone(self.order)
            return
        assert not stock_is_gone(self.order)
        if review == Review("release", RESERVATION_FULFILLED):
            self.state = "REJECTED" if self.ended_by == "refused" else "CANCELLED"

    @precondition(lambda self: self.state != "UNPLACED")
    @rule(answer=answers)
    def answer(self, answer: Command) -> None:
        """Answers arrive in time, late or twice."""
        made = self.ask(answer)
        name = type(answer).__name__
        match answer:
            case commands.StepFailed(step) | commands.StepRefused(step):
                self.moves(f"{name}({step})")
            case commands.Authorized(_, expire_time) if self.state == "AUTHORIZING":
                self.authorized_until = expire_time
                self.moves(name)
            case commands.Committed() if self.state == "COMMITTING":
                self.state = "CAPTURING" if self.may_pass_the_pivot() else "CANCELLING"
                self.ended_by = "" if self.state == "CAPTURING" else "deadline"
            case commands.Captured() if self.state == "CAPTURING":
                self.state = "REFUNDING" if self.cancel_waits else "CONFIRMED"
                assert isinstance(made[0], events.OrderConfirmed)
            case commands.Compensated() if self.state == "CANCELLING":
                self.state = "REJECTED" if self.ended_by == "refused" else "CANCELLED"
            case _:
                self.moves(name)

    @precondition(lambda self: self.state in SHIPPED)
    @rule(quantity=st.one_of(st.none(), st.integers(min_value=1, max_value=8)))
    def return_goods(self, quantity: int | None) -> None:
        """Goods come back once they were fulfilled, and never more than were."""
        return_id = f"ret_{len(self.order.returns) + 1}"
        units = None if quantity is None else {"tea": quantity}
        quantity = quantity or self.units_left
        was_priced = self.order.lines == LINES
        try:
            self.ask(commands.ReturnGoods(units, "why", return_id))
        except errors.OrderNotReturnableError:
            assert self.state == "FULFILLING" or not was_priced or not self.units_left
            return
        except errors.ReturnExceedsFulfilledError:
            assert quantity > self.units_left
            return
        self.units_left -= quantity
        self.returning.append(quantity)
        self.state = "RETURNING"

    @precondition(lambda self: self.state == "RETURNING")
    @rule(number=st.integers(min_value=1, max_value=3), minor_units=st.sampled_from([0, 100]))
    def finish_return(self, number: int, minor_units: int) -> None:
        """The oldest return ends first; an answer to any other one changes nothing."""
        return_id = f"ret_{number}"
        done = commands.ReturnRefunded(return_id, f"rfd_{number}", Money("EUR", minor_units))
        if self.order.pending_returns[0].return_id != return_id:
            assert not self.ask(done)
            return
        self.ask(done)
        self.returning.pop(0)
        gone = "FULFILLED" if self.units_left else "RETURNED"
        self.state = "RETURNING" if self.returning else gone

    @precondition(lambda self: self.state != "UNPLACED")
    @rule(number=st.integers(min_value=1, max_value=3))
    def see_refund(self, number: int) -> None:
        """A refund at the payment service is shown once and moves no order."""
        self.ask(commands.RefundSeen(f"rfd_{number}", Money("EUR", 100)))
        assert not self.ask(commands.RefundSeen(f"rfd_{number}", Money("EUR", 100)))

    def may_pass_the_pivot(self) -> bool:
        """Return whether there is time for the order and for its capture."""
        age_s = (self.now - self.order.create_time).total_seconds()
        left_s = (self.authorized_until - self.now).total_seconds()
        return age_s < DEADLINE_S and left_s > BUDGET_S

    def moves(self, what: str) -> None:
        """Change the model's state as the table says."""
        before, self.state = self.state, MOVES.get((self.state, what), self.state)
        if self.state in ("CANCELLING", "REJECTED") and before not in ("CANCELLING", "REJECTED"):
            cancelled = what == "Cancel" or (before == "CAPTURING" and self.cancel_waits)
            late = what == "DeadlinePassed"
            self.ended_by = "cancelled" if cancelled else "deadline" if late else "refused"

    @invariant()
    def agrees_with_the_model(self) -> None:
        """State, version and finality agree."""
        assert self.order.state.name == self.state
        assert self.order.version == len(self.log)
        assert self.order.is_final == (self.state in FINAL)

    @invariant()
    def what_was_authorized_is_compensated(self) -> None:
        """An order that cancels after an authorization has both compensations."""
        names = [type(event).__name__ for event, _ in self.log]
        if self.state == "CANCELLING" and "PaymentAuthorized" in names:
            assert self.order.asked == {"inventory", "payment"}
        assert names.count("CaptureRequested") <= 1
        assert names.count("OrderConfirmed") <= 1
        if "OrderConfirmed" in names and "CancellationStarted" in names:
            # A payment was captured although its order was being cancelled: it is given back.
            assert names[names.index("OrderConfirmed") + 1] == "RefundStarted"
        elif "OrderConfirmed" in names:
            assert "CaptureRequested" in names

    @invariant()
    def is_rebuilt_from_its_stored_bytes(self) -> None:
        """The stored stream alone makes the same order."""
        rebuilt = Order("ord_1")
        for version, (event, at) in enumerate(self.log, start=1):
            new = to_new_event(event, "ord_1")
            stored = StoredEvent(
                version, "evt_1", "ord_1", version, new.type, new.payload, at, "", "", ""
            )
            rebuilt = evolve(rebuilt, from_stored(stored), at)
        assert rebuilt == self.order


TestOrderMachine = OrderMachine.TestCase
TestOrderMachine.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
