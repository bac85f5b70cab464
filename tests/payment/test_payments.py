"""How long a caller waits, and what the process still knows by itself."""

from dataclasses import replace

import pytest

from services.payment.notices import Notices
from services.payment.payments import DEFAULT_PATIENCE_S, patience_s
from tests.payment.drawer import Drawer, authorize


@pytest.mark.parametrize(
    ("remaining_s", "waits_s"),
    [(10.0, 9.8), (2.0, 1.8), (1.0, 0.9), (0.0, 0.0), (-1.0, 0.0), (None, DEFAULT_PATIENCE_S)],
)
def test_an_answer_keeps_time_to_travel(remaining_s: float | None, waits_s: float) -> None:
    """200 ms, or a tenth of what is left."""
    assert patience_s(remaining_s) == pytest.approx(waits_s)


def test_what_nobody_awaits_is_not_kept() -> None:
    """A busy process does not grow."""
    notices, payment = Notices(), Drawer(authorize()).payment
    notices.tell(payment)
    assert notices.newest(payment.payment_id, version=1) is None

    with notices.awaiting(payment.payment_id), notices.awaiting(payment.payment_id):
        notices.tell(payment)
        assert notices.newest(payment.payment_id, version=1) == payment
    assert notices.newest(payment.payment_id, version=1) is None


def test_an_older_state_never_hides_a_newer_one() -> None:
    """Whichever is told last; and too old is as good as unknown."""
    notices, first = Notices(), Drawer(authorize()).payment
    second = replace(first, version=2)
    with notices.awaiting(first.payment_id):
        notices.tell(second)
        notices.tell(first)

        assert notices.newest(first.payment_id, version=1) == second
        assert notices.newest(first.payment_id, version=3) is None
