"""Tunes the serving process: the interpreter, the garbage collector and, if asked, the scheduler.

If more threads run than there are cores, the cost of a call depends on how long each thread runs
at a time: after each switch the caches hold another thread's data. As batch work, the threads ask
the kernel for long time slices, and do not preempt others when they wake up.
"""

import ctypes
import gc
import os
import sys
from pathlib import Path

# The event loop and the database's writer thread share the interpreter. With the default of 5 ms, a
# batch of 0.5 ms took 56 ms while the loop was busy; with this value it takes 4 ms.
SWITCH_INTERVAL_S = 0.0005
# Calls of grpc.aio end in reference cycles, so the collector must run. With Python's default, every
# 700 objects, it took a twelfth of a busy service's time.
GC_THRESHOLDS = (20_000, 20, 100)
# The default of Linux is 1.4 ms on two cores, and 2.8 ms on eight and more.
SLICE_MS = 20

_NANOS_PER_MS = 1_000_000
# The number of sched_setattr(2): neither Python nor older C libraries have a function for it.
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


def tune(*, batch_scheduling: bool = False) -> None:
    """Tune the process. Call it after start-up, when the long-lived objects exist.

    With `batch_scheduling` its threads are scheduled as batch work, on Linux.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    # Collections skip the objects that start-up created.
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    if batch_scheduling and sys.platform == "linux":
        schedule_for_throughput()


def schedule_for_throughput() -> None:
    """Schedule the threads of this process, and those that they start, as batch work.

    Long slices need Linux 6.12. A policy that an operator chose is kept, and if the system refuses
    the change, nothing changes.
    """
    for entry in Path("/proc/self/task").iterdir():
        thread = int(entry.name)
        try:
            if os.sched_getscheduler(thread) == os.SCHED_OTHER:
                os.sched_setscheduler(thread, os.SCHED_BATCH, os.sched_param(0))
                _lengthen_slices(thread)
        except OSError:  # the thread has ended, or the process lacks the permission
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
