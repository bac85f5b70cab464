"""The rules of payments as pure functions: no store, no clock, no protobuf."""

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
    """The expiry is the processor's word, not ours."""
    drawer = PaymentInMemory(authorize(), AUTHORIZED)

    assert drawer.payment.state is PaymentState.AUTHORIZED
    assert drawer.payment.authorize_expire_time == AUTHORIZED.expire_time
    assert drawer.balance(Account.AUTHORIZED) == PRICE.minor_units


def test_a_decline_is_remembered_with_its_code() -> None:
    """A decline is an answer, and nothing is posted for it."""
    payment = PaymentInMemory(*DECLINED).payment

    assert payment.state is PaymentState.DECLINED
    assert payment.decline_code is DeclineCode.LOST_OR_STOLEN
    assert payment.refusal is not None
    assert payment.refusal.reason is RefusalReason.PAYMENT_DECLINED
    assert payment.refusal.facts == {"decline_code": "LOST_OR_STOLEN"}
    assert PaymentInMemory(*DECLINED).posted == []


def test_the_deadline_itself_is_in_time_and_the_instant_after_it_is_not() -> None:
    """A late authorize is refused for good, and the processor is not asked."""
    in_time, late = PaymentInMemory(), PaymentInMemory()
    in_time.tell(authorize(deadline=NOON), now=NOON)
    late.tell(authorize(deadline=NOON), now=NOON + timedelta(microseconds=1))

    assert in_time.payment.state is PaymentState.AUTHORIZING
    assert late.payment.state is PaymentState.DECLINED
    assert late.payment.refusal is not None
    assert late.payment.refusal.reason is RefusalReason.ORDER_DEADLINE_PASSED
    assert late.payment.refusal.facts == {"order_deadline_time": "2026-01-01T12:00:00Z"}
    assert next_call(late.payment) is None


def test_a_void_before_the_authorize_leaves_a_tombstone() -> None:
    """The late authorize changes nothing and finds its refusal."""
    drawer = PaymentInMemory(void_unseen())

    assert drawer.tell(authorize()) == ()
    assert drawer.payment.state is PaymentState.VOIDED
    assert drawer.payment.refusal is not None
    assert drawer.payment.refusal.reason is RefusalReason.AUTHORIZATION_FENCED
    assert not drawer.payment.is_pending


def test_a_tombstone_is_fenced_at_the_processor_too() -> None:
    """The driver asks for the fence by the key of the authorize; the answer changes nothing."""
    drawer = PaymentInMemory(void_unseen())

    assert next_call(drawer.payment) == VoidCall("void_1", "authorize_1", "")
    assert drawer.tell(commands.Voided()) == ()


def test_the_processor_may_have_fenced_the_authorize() -> None:
    """An authorize that was voided before it was made ends VOIDED, and nothing is posted."""
    drawer = PaymentInMemory(authorize(), commands.Voided())

    assert drawer.payment.state is PaymentState.VOIDED
    assert drawer.payment.refusal is not None
    assert drawer.payment.refusal.reason is RefusalReason.AUTHORIZATION_FENCED
    assert drawer.posted == []


def test_a_void_while_authorizing_waits_for_the_answer() -> None:
    """The question stays the same; then there is something to void."""
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
        assert PaymentInMemory(*state).tell(void("void_2")) == ()


def test_voided_money_is_no_longer_set_aside() -> None:
    """The posting is reversed by the answer, not by the wish."""
    voiding, voided = PaymentInMemory(*VOIDING), PaymentInMemory(*VOIDED)

    assert voiding.balance(Account.AUTHORIZED) == PRICE.minor_units
    assert voided.balance(Account.AUTHORIZED) == 0
    assert voided.payment.state is PaymentState.VOIDED


def test_a_void_can_find_the_authorization_expired() -> None:
    """Then that is what became of it."""
    drawer = PaymentInMemory(*EXPIRED)

    assert drawer.payment.state is PaymentState.EXPIRED
    assert drawer.balance(Account.AUTHORIZED) == 0


def test_captured_money_moves_from_set_aside_to_taken() -> None:
    """Both postings come with the same answer."""
    drawer = PaymentInMemory(*CAPTURED)

    assert drawer.payment.state is PaymentState.CAPTURED
    assert drawer.payment.captured_minor == PRICE.minor_units
    assert drawer.balance(Account.AUTHORIZED) == 0
    assert drawer.balance(Account.PROCESSOR_CLEARING) == PRICE.minor_units


def test_a_captured_payment_cannot_be_voided() -> None:
    """It can be refunded."""
    with pytest.raises(PaymentStateConflictError):
        PaymentInMemory(*CAPTURED).tell(void())


def test_a_void_noted_while_capturing_lapses_when_the_money_was_taken() -> None:
    """Too late is too late."""
    noted = PaymentInMemory(authorize(), AUTHORIZED, capture(), void()).payment
    captured = PaymentInMemory(
        authorize(), AUTHORIZED, capture(), void(), commands.Captured()
    ).payment

    assert noted.void_requested
    assert captured.state is PaymentState.CAPTURED
    assert not captured.void_requested


def test_a_void_noted_while_capturing_is_due_when_the_money_was_not_taken() -> None:
    """It goes on to VOIDING without being asked again."""
    drawer = PaymentInMemory(authorize(), AUTHORIZED, capture(), void(), commands.NotCaptured("no"))

    assert drawer.payment.state is PaymentState.VOIDING


def test_a_capture_that_was_refused_never_captures_again() -> None:
    """Another request may try again; the first keeps its answer."""
    drawer = PaymentInMemory(authorize(), AUTHORIZED, capture(), commands.NotCaptured("no"))

    assert drawer.payment.state is PaymentState.AUTHORIZED
    assert drawer.tell(capture()) == ()
    drawer.tell(capture("capture_2"))
    drawer.tell(commands.Captured())
    first, second = drawer.payment.captures
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
    """The capture is refused and the money is no longer set aside."""
    drawer = PaymentInMemory(authorize(), AUTHORIZED, capture(), evidence)

    assert drawer.payment.state is state
    assert drawer.payment.captures[0].refusal is not None
    assert drawer.payment.captures[0].refusal.reason is reason
    assert drawer.balance(Account.AUTHORIZED) == 0
    assert [posting.request_id for posting in drawer.posted] == ["authorize_1", "capture_1"]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (DECLINED, RefusalReason.NOT_AUTHORIZED),
        (VOIDING, RefusalReason.AUTHORIZATION_VOIDED),
        (VOIDED, RefusalReason.AUTHORIZATION_VOIDED),
        (EXPIRED, RefusalReason.AUTHORIZATION_EXPIRED),
        ((void_unseen(),), RefusalReason.AUTHORIZATION_VOIDED),
    ],
)
def test_a_pointless_capture_is_refused_for_good(
    told: tuple[commands.Command, ...], reason: RefusalReason
) -> None:
    """The refusal is stored, and the payment stays where it is."""
    drawer = PaymentInMemory(*told)
    state = drawer.payment.state
    drawer.tell(capture())

    assert drawer.payment.state is state
    assert drawer.payment.captures[0].state is CaptureState.NOT_CAPTURED
    assert drawer.payment.captures[0].refusal is not None
    assert drawer.payment.captures[0].refusal.reason is reason


@pytest.mark.parametrize(
    "told", [(authorize(),), (authorize(), AUTHORIZED, capture("capture_9")), CAPTURED]
)
def test_a_capture_that_may_have_to_wait_is_an_error(told: tuple[commands.Command, ...]) -> None:
    """Nothing is stored: the caller reads the payment and asks again."""
    with pytest.raises(PaymentStateConflictError):
        PaymentInMemory(*told).tell(capture("capture_2"))


@pytest.mark.parametrize("command", [capture(), void(), refund()])
def test_a_payment_that_does_not_exist_is_not_found(command: commands.Command) -> None:
    """Only a void by the authorize's own request may come first."""
    with pytest.raises(PaymentNotFoundError):
        PaymentInMemory().tell(command)


@pytest.mark.parametrize(
    ("told", "evidence"),
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
    told: tuple[commands.Command, ...], evidence: commands.Evidence
) -> None:
    """It is raised, so that somebody looks; nothing is written."""
    with pytest.raises(UnexpectedEvidenceError):
        PaymentInMemory(*told).tell(evidence)


def test_a_capture_is_asked_for_under_the_key_of_its_request() -> None:
    """However often it is asked, the key is the same."""
    drawer = PaymentInMemory(authorize(), AUTHORIZED, capture())

    assert next_call(drawer.payment) == CaptureCall("capture_1", "sim_1", PRICE)
    assert next_call(PaymentInMemory(*CAPTURED).payment) is None


def test_every_fact_counts_the_version_up() -> None:
    """The version of a payment is the version of its stream."""
    drawer = PaymentInMemory(*CAPTURED, refund(), commands.Refunded("refund_1"))

    assert drawer.payment.version == len(drawer.events)
    assert isinstance(drawer.events[0], events.AuthorizationRequested)
    assert drawer.payment.payment_id == PAYMENT
