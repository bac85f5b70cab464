"""What a process that serves sets for itself, beside what it serves: interpreter and scheduling.

Where there are more threads at work than cores, what a call costs depends on how long each may go
on: whoever takes over finds another one's data in the caches. So the threads ask for long slices,
and don't interrupt others when they wake up.
"""

import ctypes
import gc
import os
import sys
from pathlib import Path

# The event loop and the database's writer thread share the interpreter: with the default of 5 ms
# a batch of 0.5 ms took 56 ms beside a busy loop, with this 4 ms.
SWITCH_INTERVAL_S = 0.0005
# Calls of grpc.aio end in reference cycles, so the collector has to run, but every 700 objects
# (Python's default) it took a twelfth of a busy service's time.
GC_THRESHOLDS = (20_000, 20, 100)
# Linux gives 1.4 on two cores, 2.8 on eight and more.
SLICE_MS = 20

_NANOS_PER_MS = 1_000_000
# The number of sched_setattr(2), for which neither Python nor an older C library has a function.
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274, "riscv64": 274}


class _SchedAttr(ctypes.Structure):
    """`struct sched_attr` of sched_setattr(2), version 0."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


def settle_in() -> None:
    """Set it all; call it once what lives as long as the process is there."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    # What start-up made needn't be looked at by collections again.
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    if sys.platform == "linux":
        schedule_for_throughput()


def schedule_for_throughput() -> None:
    """Have the threads of this process, and those that they start, scheduled as batch work.

    Slices are longer from Linux 6.12 on. A policy that an operator chose stays, and where the
    system refuses, all does.
    """
    for entry in Path("/proc/self/task").iterdir():
        thread = int(entry.name)
        try:
            if os.sched_getscheduler(thread) == os.SCHED_OTHER:
                os.sched_setscheduler(thread, os.SCHED_BATCH, os.sched_param(0))
                _lengthen_slices(thread)
        except OSError:  # it has ended, or the process may not
            continue


def _lengthen_slices(thread: int) -> None:
    number = _SCHED_SETATTR.get(os.uname().machine)
    if number is None:
        return
    attributes = _SchedAttr(
        size=ctypes.sizeof(_SchedAttr),
        policy=os.SCHED_BATCH,
        nice=os.getpriority(os.PRIO_PROCESS, thread),
        runtime=SLICE_MS * _NANOS_PER_MS,
    )
    ctypes.CDLL(None).syscall(number, thread, ctypes.byref(attributes), 0)
