"""The load of an instance: peak EWMA x (in flight + 1)."""

from math import exp

import pytest

from discovery.balancing.load import Load

SEED_S = 0.030


def test_an_unknown_instance_costs_the_seed() -> None:
    """A new instance has 30 ms, so it looks neither free nor broken."""
    assert Load(100.0).latency_s(100.0) == pytest.approx(SEED_S)


def test_a_higher_latency_counts_at_once() -> None:
    """One slow answer sets the average to its latency."""
    load = Load(0.0)

    load.observe(0.5, 1.0)

    assert load.latency_s(1.0) == pytest.approx(0.5)


def test_a_lower_latency_moves_the_average() -> None:
    """A lower latency moves the average by 1 - exp(-dt / 10 s)."""
    load = Load(0.0)
    load.observe(1.0, 0.0)

    load.observe(0.1, 5.0)

    weight = exp(-0.5)
    assert load.latency_s(5.0) == pytest.approx(1.0 * weight + 0.1 * (1 - weight))


def test_latency_decays_on_read() -> None:
    """Without calls the average decays: 0.1 s becomes 37 ms after 10 s."""
    load = Load(0.0)
    load.observe(0.1, 0.0)

    assert load.latency_s(10.0) == pytest.approx(0.1 / 2.718281828)
    assert load.latency_s(0.0) == pytest.approx(0.1)


def test_calls_in_flight_multiply_the_load() -> None:
    """Three calls in flight make an instance four times as loaded."""
    load = Load(0.0)
    idle = load.value(0.0)

    load.in_flight = 3

    assert load.value(0.0) == pytest.approx(4 * idle)


def test_in_flight_counts_after_the_latency_has_decayed_to_nothing() -> None:
    """Hours later, two idle instances still share new calls."""
    idle, busy = Load(0.0), Load(0.0)
    busy.in_flight = 1

    assert idle.value(1e5) < busy.value(1e5)


def test_an_unanswered_call_counts_as_slow() -> None:
    """A call that has waited for 2 s counts as 2 s, however fast earlier calls were."""
    load = Load(0.0)
    load.observe(0.001, 10.0)

    load.begin(11.0, due=True)

    assert load.value(11.0) < SEED_S
    assert load.value(13.0) == pytest.approx(2.0 * 2)
    assert load.latency_s(13.0) < SEED_S


def test_any_answer_restarts_the_waiting_time() -> None:
    """An instance that answers other calls isn't frozen; one call may take long."""
    load = Load(0.0)
    load.begin(0.0, due=True)
    load.begin(0.0, due=True)

    load.observe(0.001, 50.0)
    load.end(due=True)

    assert load.value(50.0) < SEED_S
    assert load.value(51.0) == pytest.approx(1.0 * 2)


def test_only_prompt_calls_count_as_waiting() -> None:
    """At rest, with a stream, or with a method that waits, no waiting time counts."""
    load = Load(0.0)
    load.begin(0.0, due=True)
    load.end(due=True)
    load.begin(0.0, due=False)

    assert load.value(60.0) < SEED_S


def test_waiting_begins_with_the_first_unanswered_call() -> None:
    """It doesn't begin with the last answer, which may be hours old, nor with the newest call."""
    load = Load(0.0)

    load.begin(100.0, due=True)
    load.begin(101.0, due=True)

    assert load.value(102.0) == pytest.approx(2.0 * 3)


def test_the_load_decays_too() -> None:
    """Otherwise an instance that was slow once would never be picked again."""
    load = Load(0.0)
    load.observe(1.0, 0.0)

    assert load.value(10.0) == pytest.approx(exp(-1.0), rel=1e-3)
    assert load.value(100.0) < SEED_S


def test_the_first_failure_costs_ten_times_the_own_average() -> None:
    """A failure that answers fast must not look like a fast instance."""
    load = Load(0.0)
    load.observe(0.2, 0.0)

    load.failed(0.001, 0.0)

    assert load.latency_s(0.0) == pytest.approx(2.0)


def test_the_second_failure_in_a_row_costs_5_s() -> None:
    """A first failure may be chance; a second one is not."""
    load = Load(0.0)

    load.failed(0.001, 0.0)
    load.failed(0.001, 0.0)

    assert load.latency_s(0.0) == pytest.approx(5.0)


def test_failures_count_anew_after_a_success() -> None:
    """A success resets the failures in a row."""
    load = Load(0.0)
    load.failed(0.001, 0.0)
    load.failures_in_row = 0

    load.failed(0.001, 100.0)

    assert load.latency_s(100.0) < 1.0


@pytest.mark.parametrize(("pushback_s", "cost_s"), [(0.0, 5.0), (2.0, 5.0), (8.0, 8.0)])
def test_a_failure_with_pushback_costs_at_least_5_s(pushback_s: float, cost_s: float) -> None:
    """A pushback costs max(5 s, pushback), from the first failure on."""
    load = Load(0.0)

    load.failed(0.001, 0.0, pushback_s=pushback_s)

    assert load.latency_s(0.0) == pytest.approx(cost_s)
