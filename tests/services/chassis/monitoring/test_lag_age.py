"""For how long a feed has been ahead of its consumer, from samples of both."""

from services.chassis.monitoring.consumer_lag import HEADS_MAX, LagAge


def test_the_time_begins_with_the_first_event_that_is_not_applied() -> None:
    """A consumer that goes on, but stays behind, has the age of what it has not reached."""
    age = LagAge()

    assert age.at(0, head=5, position=5) == 0
    assert age.at(10, head=7, position=5) == 0
    assert age.at(20, head=9, position=5) == 10
    assert age.at(30, head=9, position=7) == 10
    assert age.at(40, head=9, position=9) == 0


def test_a_long_lag_keeps_its_beginning_in_few_samples() -> None:
    """However long a consumer stands still, the memory is bounded and the age is right."""
    age = LagAge()
    for second in range(10 * HEADS_MAX):
        lag_s = age.at(second, head=second + 1, position=0)

    assert lag_s == 10 * HEADS_MAX - 1


def test_a_restored_feed_begins_anew() -> None:
    """Its head has gone back, so what was seen before says nothing."""
    age = LagAge()
    age.at(0, head=100, position=50)

    assert age.at(10, head=60, position=50) == 0
    assert age.at(20, head=60, position=50) == 10
