"""How a serving process has its threads scheduled, as the kernel reports it."""

import json
import os
import platform
import subprocess
import sys

import pytest

from services.chassis.server import process

# From this version of Linux on, a thread can ask for a slice length.
LONGER_SLICES = (6, 12)

# Starts a thread before and after `tune`, and prints sched_getattr(2) of all threads.
CHILD = """
import ctypes, json, os, sys, threading
from services.chassis.server import process

os.nice(3)
os.sched_setscheduler(0, int(sys.argv[1]), os.sched_param(0))
over = threading.Event()
threading.Thread(target=over.wait).start()
process.tune(batch_scheduling=sys.argv[2] == "batch")
threading.Thread(target=over.wait).start()

number = process._SCHED_SETATTR[os.uname().machine] + 1
reported = []
for thread in map(int, os.listdir("/proc/self/task")):
    attributes = process._SchedAttr()
    size = ctypes.sizeof(attributes)
    assert ctypes.CDLL(None).syscall(number, thread, ctypes.byref(attributes), size, 0) == 0
    reported.append((attributes.policy, attributes.nice, attributes.runtime))
over.set()
print(json.dumps(reported))
"""


def threads_of(*, started_as: int, setting: str = "batch") -> list[tuple[int, int, int]]:
    """Return policy, niceness and slice (ns) of each thread of a process started under a policy."""
    command = [sys.executable, "-c", CHILD, str(started_as), setting]
    reported = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return [(policy, nice, slice_ns) for policy, nice, slice_ns in json.loads(reported)]


def test_all_threads_are_batch_work_with_long_slices() -> None:
    """Existing and later threads are batch work; their niceness does not change."""
    threads = threads_of(started_as=os.SCHED_OTHER)

    major, minor = platform.release().split(".")[:2]
    is_long = (int(major), int(minor)) >= LONGER_SLICES
    slice_ns = process.SLICE_MS * 1_000_000
    assert len(threads) == 3
    for policy, nice, runtime_ns in threads:
        assert policy == os.SCHED_BATCH
        assert nice == os.nice(0) + 3
        assert runtime_ns == slice_ns or not is_long


def test_without_the_setting_the_system_schedules_as_usual() -> None:
    """Unless an operator asks for it, no thread gets another policy."""
    threads = threads_of(started_as=os.SCHED_OTHER, setting="none")

    assert [policy for policy, *_ in threads] == [os.SCHED_OTHER] * 3


def test_a_policy_that_an_operator_chose_is_kept() -> None:
    """A process that was started under another policy keeps it."""
    threads = threads_of(started_as=os.SCHED_IDLE)

    assert [policy for policy, *_ in threads] == [os.SCHED_IDLE] * 3


def test_a_system_that_refuses_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a sandbox forbids the change, the process serves with its old policy."""

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    before = os.sched_getscheduler(0)

    process.schedule_for_throughput()

    assert os.sched_getscheduler(0) == before
