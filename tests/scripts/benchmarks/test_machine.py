"""Readings of the kernel's counters."""

import os
import subprocess
import sys

import pytest

from scripts.benchmarks.shared import machine
from scripts.benchmarks.shared.machine import Moment
from scripts.tools.paths import ROOT

# The kernel counts in ticks of 10 ms, and rounds down user and system time separately.
ROUNDING_S = 0.03


def test_processor_time_is_that_of_the_whole_process() -> None:
    """The time read from /proc agrees with os.times() before and after."""
    before = os.times()
    found_s = machine.spent([os.getpid()]).all_s
    after = os.times()

    assert before.user + before.system - ROUNDING_S <= found_s
    assert found_s <= after.user + after.system + ROUNDING_S


def test_several_processes_are_added_up() -> None:
    """The times of several processes are added up."""
    one_s = machine.spent([os.getppid()]).all_s

    assert machine.spent([os.getppid(), os.getpid()]).all_s >= one_s
    assert machine.spent([]).all_s == 0


def test_a_server_is_billed_with_the_processes_of_its_connections() -> None:
    """With `with_children`, running and ended children count as their parent's time."""
    burn = (
        "import sys, time\n"
        "while time.process_time() < 0.6: pass\n"
        "print(flush=True); sys.stdin.read()"
    )

    def spent_s(*, with_children: bool) -> float:
        return machine.spent([os.getpid()], with_children=with_children).all_s

    before_s = spent_s(with_children=True) - spent_s(with_children=False)
    child = subprocess.Popen(
        [sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    running_s = spent_s(with_children=True) - spent_s(with_children=False)
    child.communicate()
    ended_s = spent_s(with_children=True) - spent_s(with_children=False)

    assert before_s + 0.2 < running_s <= ended_s + ROUNDING_S


def test_threads_are_told_apart_by_name() -> None:
    """The kernel knows a child process's threads by name; names with numbers are one kind."""
    program = (
        "import sys, threading; from scripts.suite.child_process import name_threads;"
        "name_threads();"
        "begun = threading.Barrier(5);"
        "work = lambda: (begun.wait(), threading.Event().wait());"
        "[threading.Thread(target=work, name=n, daemon=True).start()"
        " for n in ('write-order-1', 'write-payment-1-processor', 'read-1-0', 'read-1-1')];"
        "begun.wait(); print(flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    threads = machine.spent([child.pid]).threads_s
    child.communicate()

    assert set(threads) == {"main", "write", "write-processor", "read"}


def test_what_the_host_gave_to_others_is_reported() -> None:
    """Stolen time is the share of all time between two moments."""
    before = Moment(load=0.5, steal_ticks=1_000, all_ticks=50_000)
    after = Moment(load=2.5, steal_ticks=1_030, all_ticks=51_000)
    found = machine.conditions(before, after)

    assert found.steal_percent == pytest.approx(3.0)
    assert (found.load_before, found.load_after) == (0.5, 2.5)
    assert found.cores == len(os.sched_getaffinity(0))


def test_a_moment_is_read_from_the_running_machine() -> None:
    """The counters of the running machine can be read; stolen time is a part of all time."""
    now = machine.moment()

    assert now.all_ticks > now.steal_ticks >= 0
    assert now.load >= 0
