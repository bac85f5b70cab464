"""An equation that is always being fulfilled."""

from datetime import UTC, datetime, timedelta

from services.console.books.balance import GRACE, Balance

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + GRACE + timedelta(seconds=1)


def a_balance() -> Balance:
    return Balance("captured = confirmed", "payments", "orders")


def test_both_sides_of_a_key_make_it_equal() -> None:
    """It doesn't matter which side is seen first."""
    balance = a_balance()
    balance.add_right("ord_1", 5, NOON)
    balance.add_left("ord_1", 5, NOON)

    assert balance.state(LATER).differing == 0
    assert (balance.left, balance.right) == (5, 5)


def test_what_is_under_way_is_no_fault_yet() -> None:
    """For a moment one side has seen more; that is how a distributed system works."""
    balance = a_balance()
    balance.add_left("ord_1", 5, NOON)
    state = balance.state(NOON + GRACE)

    assert (state.differing, state.late) == (1, 0)
    assert state.holds


def test_what_differs_for_too_long_is_a_fault_with_its_key() -> None:
    """An operator is told which orders to look at."""
    balance = a_balance()
    balance.add_left("ord_1", 5, NOON)
    balance.add_left("ord_2", 5, LATER)
    state = balance.state(LATER)

    assert (state.differing, state.late, state.examples) == (2, 1, ("ord_1",))
    assert not state.holds


def test_two_wrong_orders_do_not_cancel_each_other_out() -> None:
    """Equal sums are not enough: each key must be equal."""
    balance = a_balance()
    balance.add_left("ord_1", 5, NOON)
    balance.add_right("ord_2", 5, NOON)

    assert balance.left == balance.right
    assert balance.state(LATER).late == 2


def test_a_part_keeps_the_time_of_the_first_difference() -> None:
    """A difference that changes all the time is one that lasts."""
    balance = a_balance()
    balance.add_left("ord_1", 5, NOON)
    balance.add_right("ord_1", 3, LATER)

    assert balance.state(LATER).late == 1
