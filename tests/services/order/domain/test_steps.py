"""What follows from the declaration of the steps."""

import pytest

from services.order.domain.state import OrderState
from services.order.domain.steps import (
    ASKED_AT_MOST,
    ASKED_BEFORE_STEP,
    ASKED_IN_STATE,
    BEFORE_PIVOT,
    CHECKOUT_STATES,
    INVENTORY,
    PAYMENT,
    STEPS,
    STEPS_BY_STATE,
    is_step_of,
)

BOTH = {INVENTORY, PAYMENT}


def test_the_pivot_is_the_only_step_of_the_checkout_without_a_compensation() -> None:
    """Each step before the pivot can be undone, and no state before it is the pivot's."""
    (pivot,) = [step for step in STEPS if step.is_pivot]
    before = STEPS[: STEPS.index(pivot)]
    assert all(step.compensation for step in before)
    assert {step.state for step in before} == BEFORE_PIVOT
    assert BEFORE_PIVOT | {pivot.state} == CHECKOUT_STATES


@pytest.mark.parametrize(
    ("state", "names"),
    [
        (OrderState.RESERVING, ["reserve"]),
        (OrderState.AUTHORIZING, ["authorize"]),
        (OrderState.COMMITTING, ["commit"]),
        (OrderState.CAPTURING, ["capture"]),
        (OrderState.CANCELLING, ["void", "release"]),
        (OrderState.FULFILLING, ["fulfill"]),
        (OrderState.REFUNDING, ["release", "refund"]),
        (OrderState.RETURNING, ["restock", "refund-return"]),
    ],
    ids=lambda each: getattr(each, "name", None),
)
def test_each_state_has_its_steps(state: OrderState, names: list[str]) -> None:
    """The steps of a state are in order; the compensations begin with the last step."""
    assert [step.name for step in STEPS_BY_STATE[state]] == names
    assert all(is_step_of(state, name) for name in names)


def test_a_settled_state_has_no_steps() -> None:
    """An order that is confirmed or final takes no step by itself."""
    settled = (OrderState.CONFIRMED, OrderState.FULFILLED, OrderState.REJECTED)
    assert not any(is_step_of(state, step.name) for state in settled for step in STEPS)


def test_a_state_tells_which_participants_may_have_been_asked() -> None:
    """The call of the state's own step may have been sent; before a step it was not."""
    assert ASKED_IN_STATE[OrderState.RESERVING] == {INVENTORY}
    assert ASKED_IN_STATE[OrderState.AUTHORIZING] == ASKED_IN_STATE[OrderState.CAPTURING] == BOTH
    assert ASKED_BEFORE_STEP["reserve"] == set()
    assert ASKED_BEFORE_STEP["authorize"] == {INVENTORY}
    assert ASKED_BEFORE_STEP["commit"] == ASKED_AT_MOST == BOTH
