"""A refused caller is asked to wait until a slot can be free for it."""

import pytest

from services.chassis.server.layers.pushback import Pushback


def busy(*, freed: int) -> Pushback:
    """A server that has answered this many calls in the second before 101 s, and refused one."""
    line = Pushback()
    line.refused(100.0)
    line.freed += freed
    return line


def test_before_any_measurement_the_wait_is_a_tenth_of_a_second() -> None:
    """The first refusal starts the measurement."""
    line = Pushback()

    assert [line.refused(100.0), line.refused(100.5)] == [0.1, 0.1]


def test_each_caller_gets_the_next_free_instant() -> None:
    """At two free slots a second, callers come back half a second apart."""
    line = busy(freed=2)

    assert [line.refused(101.0) for _ in range(3)] == pytest.approx([0.5, 1.0, 1.5])
    assert line.refused(101.5) == pytest.approx(1.5)


def test_a_fast_server_asks_for_no_less_than_a_tenth() -> None:
    """At a thousand free slots a second, the thousandth caller waits one second."""
    line = busy(freed=1000)

    delays_s = [line.refused(101.0) for _ in range(1000)]

    assert delays_s[:99] == [0.1] * 99
    assert delays_s[-1] == pytest.approx(1.0)


def test_no_caller_waits_for_more_than_5_s() -> None:
    """The wait is bounded for any number of callers, and the virtual queue stops growing."""
    line = busy(freed=1)

    assert max(line.refused(101.0) for _ in range(100)) == 5.0
    assert line.refused(101.9) == 5.0
    # After a pause the old measurement is forgotten, and the virtual queue has advanced.
    assert line.refused(110.0) == 0.1


def test_free_slots_are_measured_each_second() -> None:
    """If twice as many slots become free, the callers' distance is halved."""
    line = busy(freed=2)
    assert line.refused(101.0) == pytest.approx(0.5)
    line.freed += 4

    assert line.refused(102.0) == pytest.approx(0.25)
