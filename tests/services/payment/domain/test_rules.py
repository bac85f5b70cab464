"""The rules of payments, as pure functions."""

from datetime import timedelta

import pytest

from services.payment.domain import commands, events
from services.payment.domain.errors import (
    PaymentNotFoundError,
    PaymentStateConflictError,
    UnexpectedEvidenceError,
)
from services.payment.domain.ledger import Account
from services.payment.domain.processor_calls import AuthorizeCall, CaptureCall, VoidCall, next_call
from services.payment.domain.state import CaptureState, DeclineCode, PaymentState, RefusalReason
from tests.support.payment.payment_in_memory import (
    AUTHORIZED,
    NOON,
    PAYMENT,
    PRICE,
    PaymentInMemory,
    authorize,
    capture,
    refund,
    void,
    void_unseen,
)

CAPTURED = (authorize(), AUTHORIZED, capture(), commands.Captured())
DECLINED = (authorize(), commands.Declined(DeclineCode.LOST_OR_STOLEN))
VOIDED = (authorize(), AUTHORIZED, void(), commands.Voided())
VOIDING = (authorize(), AUTHORIZED, void())
EXPIRED = (authorize(), AUTHORIZED, void(), commands.Expired())


def test_an_authorized_payment_knows_until_when_the_processor_keeps_the_money() -> None:
    """The processor decides when an authorization expires."""
    memory = PaymentInMemory(authorize(), AUTHORIZED)

    assert memory.payment.state is PaymentState.AUTHORIZED
    assert memory.payment.authorize_expire_time == AUTHORIZED.expire_time
    assert memory.balance(Account.AUTHORIZED) == PRICE.minor_units


def test_a_decline_is_remembered_with_its_code() -> None:
    """A decline is stored with its code, and nothing is posted."""
    payment = PaymentInMemory(*DECLINED).payment

    assert payment.state is PaymentState.DECLINED
    assert payment.decline_code is DeclineCode.LOST_OR_STOLEN
    assert payment.refusal is not None
    assert payment.refusal.reason is RefusalReason.PAYMENT_DECLINED
    assert payment.refusal.facts == {"decline_code": "LOST_OR_STOLEN"}
    assert PaymentInMemory(*DECLINED).posted == []


def test_the_deadline_itself_is_in_time_and_the_instant_after_it_is_not() -> None:
    """A late authorize is refused for good without a call to the processor."""
    in_time, late = PaymentInMemory(), PaymentInMemory()
    in_time.apply(authorize(deadline=NOON), now=NOON)
    late.apply(authorize(deadline=NOON), now=NOON + timedelta(microseconds=1))

    assert in_time.payment.state is PaymentState.AUTHORIZING
    assert late.payment.state is PaymentState.DECLINED
    assert late.payment.refusal is not None
    assert late.payment.refusal.reason is RefusalReason.ORDER_DEADLINE_PASSED
    assert late.payment.refusal.facts == {"order_deadline_time": "2026-01-01T12:00:00Z"}
    assert next_call(late.payment) is None


def test_a_void_before_the_authorize_leaves_a_tombstone() -> None:
    """An authorize after its void changes nothing and gets the stored refusal."""
    memory = PaymentInMemory(void_unseen())

    assert memory.apply(authorize()) == ()
    assert memory.payment.state is PaymentState.VOIDED
    assert memory.payment.refusal is not None
    assert memory.payment.refusal.reason is RefusalReason.AUTHORIZATION_FENCED
    assert not memory.payment.is_pending


def test_a_tombstone_is_fenced_at_the_processor_too() -> None:
    """The driver voids by the authorize's key at the processor; the answer changes nothing."""
    memory = PaymentInMemory(void_unseen())

    assert next_call(memory.payment) == VoidCall("void_1", "authorize_1", "")
    assert memory.apply(commands.Voided()) == ()


def test_the_processor_may_have_fenced_the_authorize() -> None:
    """An authorize that the processor had fenced ends VOIDED, and nothing is posted."""
    memory = PaymentInMemory(authorize(), commands.Voided())

    assert memory.payment.state is PaymentState.VOIDED
    assert memory.payment.refusal is not None
    assert memory.payment.refusal.reason is RefusalReason.AUTHORIZATION_FENCED
    assert memory.posted == []


def test_a_void_while_authorizing_waits_for_the_answer() -> None:
    """The authorize is repeated unchanged; the void follows its answer."""
    noted = PaymentInMemory(authorize(), void()).payment
    voiding = PaymentInMemory(authorize(), void(), AUTHORIZED).payment

    assert noted.void_requested
    assert isinstance(next_call(noted), AuthorizeCall)
    assert voiding.state is PaymentState.VOIDING
    assert not voiding.void_requested
    assert next_call(voiding) == VoidCall("void_1", "authorize_1", "sim_1")


def test_a_void_is_noted_once() -> None:
    """A second void joins the first."""
    for state in ((authorize(), void()), VOIDING, VOIDED, EXPIRED, DECLINED):
        assert PaymentInMemory(*state).apply(void("void_2")) == ()


def test_voided_money_is_no_longer_set_aside() -> None:
    """The posting is reversed by the answer to the void, not by its request."""
    voiding, voided = PaymentInMemory(*VOIDING), PaymentInMemory(*VOIDED)

    assert voiding.balance(Account.AUTHORIZED) == PRICE.minor_units
    assert voided.balance(Account.AUTHORIZED) == 0
    assert voided.payment.state is PaymentState.VOIDED


def test_a_void_can_find_the_authorization_expired() -> None:
    """A void of an expired authorization ends EXPIRED."""
    memory = PaymentInMemory(*EXPIRED)

    assert memory.payment.state is PaymentState.EXPIRED
    assert memory.balance(Account.AUTHORIZED) == 0


def test_captured_money_moves_from_set_aside_to_taken() -> None:
    """The reversal and the capture are posted with the same answer."""
    memory = PaymentInMemory(*CAPTURED)

    assert memory.payment.state is PaymentState.CAPTURED
    assert memory.payment.captured_minor == PRICE.minor_units
    assert memory.balance(Account.AUTHORIZED) == 0
    assert memory.balance(Account.PROCESSOR_CLEARING) == PRICE.minor_units


def test_a_captured_payment_cannot_be_voided() -> None:
    """A captured payment cannot be voided; it can be refunded."""
    with pytest.raises(PaymentStateConflictError):
        PaymentInMemory(*CAPTURED).apply(void())


def test_a_void_noted_while_capturing_lapses_when_the_money_was_taken() -> None:
    """A void that waits for a capture is dropped when the capture succeeds."""
    noted = PaymentInMemory(authorize(), AUTHORIZED, capture(), void()).payment
    captured = PaymentInMemory(
        authorize(), AUTHORIZED, capture(), void(), commands.Captured()
    ).payment

    assert noted.void_requested
    assert captured.state is PaymentState.CAPTURED
    assert not captured.void_requested


def test_a_void_noted_while_capturing_is_due_when_the_money_was_not_taken() -> None:
    """A void that waits for a capture is carried out when the capture is refused."""
    memory = PaymentInMemory(authorize(), AUTHORIZED, capture(), void(), commands.NotCaptured("no"))

    assert memory.payment.state is PaymentState.VOIDING


def test_a_capture_that_was_refused_never_captures_again() -> None:
    """A refused capture keeps its answer; another request may capture."""
    memory = PaymentInMemory(authorize(), AUTHORIZED, capture(), commands.NotCaptured("no"))

    assert memory.payment.state is PaymentState.AUTHORIZED
    assert memory.apply(capture()) == ()
    memory.apply(capture("capture_2"))
    memory.apply(commands.Captured())
    first, second = memory.payment.captures
    assert first.state is CaptureState.NOT_CAPTURED
    assert first.refusal is not None
    assert first.refusal.reason is RefusalReason.NOT_CAPTURED
    assert first.refusal.facts == {"processor_code": "no"}
    assert second.state is CaptureState.CAPTURED


@pytest.mark.parametrize(
    ("evidence", "state", "reason"),
    [
        (commands.Expired(), PaymentState.EXPIRED, RefusalReason.AUTHORIZATION_EXPIRED),
        (commands.Voided(), PaymentState.VOIDED, RefusalReason.AUTHORIZATION_VOIDED),
    ],
)
def test_a_capture_can_find_that_there_is_nothing_left_to_take(
    evidence: commands.Evidence, state: PaymentState, reason: RefusalReason
) -> None:
    """A capture of an authorization that is over is refused, and the posting is reversed."""
    memory = PaymentInMemory(authorize(), AUTHORIZED, capture(), evidence)

    assert memory.payment.state is state
    assert memory.payment.captures[0].refusal is not None
    assert memory.payment.captures[0].refusal.reason is reason
    assert memory.balance(Account.AUTHORIZED) == 0
    assert [posting.request_id for posting in memory.posted] == ["authorize_1", "capture_1"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (DECLINED, RefusalReason.NOT_AUTHORIZED),
        (VOIDING, RefusalReason.AUTHORIZATION_VOIDED),
        (VOIDED, RefusalReason.AUTHORIZATION_VOIDED),
        (EXPIRED, RefusalReason.AUTHORIZATION_EXPIRED),
        ((void_unseen(),), RefusalReason.AUTHORIZATION_VOIDED),
    ],
)
def test_a_pointless_capture_is_refused_for_good(
    given: tuple[commands.Command, ...], reason: RefusalReason
) -> None:
    """A capture that cannot succeed is refused with a stored answer, without a call."""
    memory = PaymentInMemory(*given)
    state = memory.payment.state
    memory.apply(capture())

    assert memory.payment.state is state
    assert memory.payment.captures[0].state is CaptureState.NOT_CAPTURED
    assert memory.payment.captures[0].refusal is not None
    assert memory.payment.captures[0].refusal.reason is reason


@pytest.mark.parametrize(
    "given", [(authorize(),), (authorize(), AUTHORIZED, capture("capture_9")), CAPTURED]
)
def test_a_capture_that_may_have_to_wait_is_an_error(given: tuple[commands.Command, ...]) -> None:
    """A capture that may succeed later is an error, and nothing is stored."""
    with pytest.raises(PaymentStateConflictError):
        PaymentInMemory(*given).apply(capture("capture_2"))


@pytest.mark.parametrize("command", [capture(), void(), refund()])
def test_a_payment_that_does_not_exist_is_not_found(command: commands.Command) -> None:
    """Only a void by the authorize's request_id may come before the payment exists."""
    with pytest.raises(PaymentNotFoundError):
        PaymentInMemory().apply(command)


@pytest.mark.parametrize(
    ("given", "evidence"),
    [
        ((authorize(),), commands.Captured()),
        ((authorize(), AUTHORIZED), AUTHORIZED),
        ((authorize(), AUTHORIZED, capture()), AUTHORIZED),
        (VOIDING, commands.Captured()),
        (CAPTURED, commands.Captured()),
        (CAPTURED, commands.Refunded("refund_9")),
        ((*CAPTURED, refund(), commands.Refunded("refund_1")), commands.Refunded("refund_1")),
        (DECLINED, AUTHORIZED),
    ],
)
def test_an_answer_that_contradicts_is_not_believed(
    given: tuple[commands.Command, ...], evidence: commands.Evidence
) -> None:
    """Contradicting evidence is raised for an operator, and nothing is written."""
    with pytest.raises(UnexpectedEvidenceError):
        PaymentInMemory(*given).apply(evidence)


def test_a_capture_is_asked_for_under_the_key_of_its_request() -> None:
    """Every repetition of a capture has the request's key."""
    memory = PaymentInMemory(authorize(), AUTHORIZED, capture())

    assert next_call(memory.payment) == CaptureCall("capture_1", "sim_1", PRICE)
    assert next_call(PaymentInMemory(*CAPTURED).payment) is None


def test_every_event_increases_the_version() -> None:
    """A payment's version counts the events of its stream."""
    memory = PaymentInMemory(*CAPTURED, refund(), commands.Refunded("refund_1"))

    assert memory.payment.version == len(memory.events)
    assert isinstance(memory.events[0], events.AuthorizationRequested)
    assert memory.payment.payment_id == PAYMENT
