"""What is read from the kernel's counters."""

import os

import pytest

from scripts.benchmarks import machine
from scripts.benchmarks.machine import Moment

# The kernel counts in ticks of 10 ms, each of the two numbers cut off by itself.
ROUNDING_S = 0.03


def test_processor_time_is_that_of_the_whole_process() -> None:
    """It agrees with what the process is told of itself before and after."""
    before = os.times()
    found_s = machine.cpu_s([os.getpid()])
    after = os.times()

    assert before.user + before.system - ROUNDING_S <= found_s
    assert found_s <= after.user + after.system + ROUNDING_S


def test_several_processes_are_added_up() -> None:
    """Two instances of a service are one bill."""
    one_s = machine.cpu_s([os.getppid()])

    assert machine.cpu_s([os.getppid(), os.getpid()]) >= one_s
    assert machine.cpu_s([]) == 0


def test_what_the_host_gave_to_others_is_told() -> None:
    """Stolen time is a share of all time between two moments, not since the machine started."""
    before = Moment(load=0.5, steal_ticks=1_000, all_ticks=50_000)
    after = Moment(load=2.5, steal_ticks=1_030, all_ticks=51_000)
    found = machine.conditions(before, after)

    assert found.steal_percent == pytest.approx(3.0)
    assert (found.load_before, found.load_after) == (0.5, 2.5)
    assert found.cores == len(os.sched_getaffinity(0))


def test_a_moment_is_read_from_the_running_machine() -> None:
    """The counters are where they are looked for: stolen time is a part of all time."""
    now = machine.moment()

    assert now.all_ticks > now.steal_ticks >= 0
    assert now.load >= 0
