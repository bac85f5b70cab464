"""Refused callers are told to come back when a place can be free for them."""

import pytest

from services.chassis.server.layers.pushback import Pushback


def busy(*, freed: int) -> Pushback:
    """A server that answered so many calls in the second before 101 s, and refused one."""
    line = Pushback()
    line.refused(100.0)
    line.freed += freed
    return line


def test_while_nothing_is_known_it_is_a_tenth_of_a_second() -> None:
    """The first to be refused starts the measuring."""
    line = Pushback()

    assert [line.refused(100.0), line.refused(100.5)] == [0.1, 0.1]


def test_each_gets_the_next_free_instant() -> None:
    """Two places a second: half a second apart."""
    line = busy(freed=2)

    assert [line.refused(101.0) for _ in range(3)] == pytest.approx([0.5, 1.0, 1.5])
    assert line.refused(101.5) == pytest.approx(1.5)


def test_a_fast_server_asks_for_no_less_than_a_tenth() -> None:
    """A thousand places a second are a thousand callers later one second."""
    line = busy(freed=1000)

    delays_s = [line.refused(101.0) for _ in range(1000)]

    assert delays_s[:99] == [0.1] * 99
    assert delays_s[-1] == pytest.approx(1.0)


def test_nobody_waits_for_more_than_5_s() -> None:
    """However many there are; and the line doesn't grow beyond that."""
    line = busy(freed=1)

    assert max(line.refused(101.0) for _ in range(100)) == 5.0
    assert line.refused(101.9) == 5.0
    # A lull: what was is forgotten, the line has moved on.
    assert line.refused(110.0) == 0.1


def test_the_pace_is_measured_anew_each_second() -> None:
    """Twice as many freed, half the distance."""
    line = busy(freed=2)
    assert line.refused(101.0) == pytest.approx(0.5)
    line.freed += 4

    assert line.refused(102.0) == pytest.approx(0.25)
