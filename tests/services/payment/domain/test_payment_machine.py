"""One payment against a simple model, with a processor that loses answers."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from services.payment.domain import commands
from services.payment.domain.errors import AmountExceedsRefundableError, PaymentStateConflictError
from services.payment.domain.ledger import Account
from services.payment.domain.processor_calls import (
    AuthorizeCall,
    CaptureCall,
    RefundCall,
    next_call,
)
from services.payment.domain.state import CaptureState, DeclineCode, RefundState
from tests.support.payment import payment_in_memory as examples
from tests.support.payment.scripted_processor import Book

PRICE = examples.PRICE.minor_units
REQUESTS = st.sampled_from(["1", "2", "3"])


class PaymentMachine(RuleBasedStateMachine):
    """The model describes the state of the payment in a few variables."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = examples.PaymentInMemory()
        self.state = "NONE"
        self.void_noted = False
        self.capturing = ""
        self.captures: dict[str, bool | None] = {}
        self.refunds: dict[str, tuple[int, str]] = {}

    @initialize(declines=st.booleans(), refuses_capture=st.booleans(), refuses_refund=st.booleans())
    def open_the_processor(
        self, *, declines: bool, refuses_capture: bool, refuses_refund: bool
    ) -> None:
        self.book = Book()
        if declines:
            self.book.script[AuthorizeCall] = commands.Declined(DeclineCode.DO_NOT_HONOR)
        if refuses_capture:
            self.book.script[CaptureCall] = commands.NotCaptured("no")
        self.refuses_refund = refuses_refund

    @precondition(lambda self: self.state in ("NONE", "VOIDED"))
    @rule()
    def authorize(self) -> None:
        if self.state == "VOIDED" and not self.is_tombstone:
            return
        happened = self.memory.apply(examples.authorize())
        assert bool(happened) == (self.state == "NONE")
        if self.state == "NONE":
            self.state = "AUTHORIZING"

    @rule(request=REQUESTS)
    def void(self, request: str) -> None:
        command = examples.void_unseen(f"void_{request}")
        if self.state == "CAPTURED":
            self.refuses(command, PaymentStateConflictError)
            return
        self.memory.apply(command)
        if self.state == "NONE":
            self.state = "VOIDED"
        elif self.state == "AUTHORIZED":
            self.state = "VOIDING"
        elif self.state in ("AUTHORIZING", "CAPTURING"):
            self.void_noted = True

    @precondition(lambda self: self.state != "NONE")
    @rule(request=REQUESTS)
    def capture(self, request: str) -> None:
        command = examples.capture(f"capture_{request}")
        if command.request_id in self.captures:
            assert self.memory.apply(command) == ()
        elif self.state == "AUTHORIZED":
            self.memory.apply(command)
            self.state, self.capturing = "CAPTURING", command.request_id
            self.captures[command.request_id] = None
        elif self.state in ("DECLINED", "VOIDING", "VOIDED", "EXPIRED"):
            self.memory.apply(command)
            self.captures[command.request_id] = False
        else:
            self.refuses(command, PaymentStateConflictError)

    @precondition(lambda self: self.state != "NONE")
    @rule(request=REQUESTS, minor_units=st.integers(1, PRICE))
    def refund(self, request: str, minor_units: int) -> None:
        command = examples.refund(minor_units, f"refund_{request}")
        gone = sum(amount for amount, state in self.refunds.values() if state != "FAILED")
        if command.request_id in self.refunds:
            assert self.memory.apply(command) == ()
        elif self.state != "CAPTURED":
            self.refuses(command, PaymentStateConflictError)
        elif minor_units > PRICE - gone:
            self.refuses(command, AmountExceedsRefundableError)
        else:
            self.memory.apply(command)
            self.refunds[command.request_id] = (minor_units, "PENDING")

    @precondition(lambda self: self.memory.found is not None)
    @rule(is_lost=st.booleans())
    def drive(self, *, is_lost: bool) -> None:
        """Make the pending call; its answer may be lost, its effect may not."""
        call = next_call(self.memory.payment)
        if call is None:
            assert not self.memory.payment.is_pending
            return
        if isinstance(call, RefundCall) and self.refuses_refund:
            self.book.script[RefundCall] = commands.RefundRefused(call.key, "no")
        evidence = self.book.answer(call)
        if is_lost or (self.state == "VOIDED" and not self.is_tombstone):
            return
        self.memory.apply(evidence)
        self.follow(call.key, evidence)

    @precondition(lambda self: self.state in ("AUTHORIZED", "CAPTURING", "VOIDING"))
    @rule()
    def let_the_authorization_run_out(self) -> None:
        """The authorization expires at the processor, which says so only in an answer."""
        self.book.is_expired = True

    def follow(self, key: str, evidence: commands.Evidence) -> None:
        match self.state, evidence:
            case "AUTHORIZING", commands.Declined():
                self.state = "DECLINED"
            case "AUTHORIZING", commands.Authorized():
                self.state = "VOIDING" if self.void_noted else "AUTHORIZED"
            case "CAPTURING", commands.Captured():
                self.state, self.captures[key] = "CAPTURED", True
            case "CAPTURING", commands.NotCaptured():
                self.state = "VOIDING" if self.void_noted else "AUTHORIZED"
                self.captures[key] = False
            case "CAPTURING", commands.Expired():
                self.state, self.captures[key] = "EXPIRED", False
            case "VOIDING", commands.Voided():
                self.state = "VOIDED"
            case "VOIDING", commands.Expired():
                self.state = "EXPIRED"
            case "CAPTURED", commands.Refunded():
                self.refunds[key] = (self.refunds[key][0], "SUCCEEDED")
            case "CAPTURED", commands.RefundRefused():
                self.refunds[key] = (self.refunds[key][0], "FAILED")
        self.void_noted = self.void_noted and self.state in ("AUTHORIZING", "CAPTURING")

    def refuses(self, command: commands.Command, error: type[Exception]) -> None:
        before = self.memory.payment
        try:
            self.memory.apply(command)
        except error:
            assert self.memory.payment is before
            return
        raise AssertionError(f"{command} was not refused")

    @property
    def is_tombstone(self) -> bool:
        return self.memory.found is not None and not self.memory.payment.customer_id

    @invariant()
    def the_model_agrees(self) -> None:
        if self.memory.found is None:
            assert self.state == "NONE"
            return
        payment = self.memory.payment
        assert payment.state == self.state
        assert payment.void_requested == self.void_noted
        assert payment.version == len(self.memory.events)
        final = {True: CaptureState.CAPTURED, False: CaptureState.NOT_CAPTURED, None: "PENDING"}
        assert {each.request_id: each.state for each in payment.captures} == {
            request_id: final[answer] for request_id, answer in self.captures.items()
        }
        assert {
            each.request_id: (each.amount.minor_units, each.state) for each in payment.refunds
        } == {
            request_id: (amount, RefundState(state))
            for request_id, (amount, state) in self.refunds.items()
        }

    @invariant()
    def money_is_never_moved_twice(self) -> None:
        if self.memory.found is None:
            return
        assert self.book.captured <= PRICE
        assert self.book.refunded <= self.book.captured
        assert self.book.effects[AuthorizeCall] <= 1
        assert sum(answer is True for answer in self.captures.values()) <= 1
        assert self.memory.payment.refunded_minor <= self.memory.payment.captured_minor

    @invariant()
    def each_posting_is_made_once(self) -> None:
        posted = [(posting.kind, posting.request_id) for posting in self.memory.posted]
        assert len(posted) == len(set(posted))
        assert sum(self.memory.balance(account) for account in Account) == 0

    @invariant()
    def at_rest_the_ledger_is_the_processors_book(self) -> None:
        if self.memory.found is None or self.memory.payment.is_pending:
            return
        assert self.memory.balance(Account.AUTHORIZED) == self.book.set_aside
        taken = self.memory.balance(Account.PROCESSOR_CLEARING)
        assert taken == self.book.captured - self.book.refunded


PaymentMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestPayment = PaymentMachine.TestCase
