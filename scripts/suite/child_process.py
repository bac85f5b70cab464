"""Runs a module as a child process that ends with its parent, however the parent ends.

    python -m scripts.suite.child_process services.order

The child itself asks the kernel for it. A `preexec_fn` of the parent would do it in a fork, and a
fork of a process that uses gRPC may crash first.
"""

import ctypes
import os
import runpy
import signal
import sys
import threading
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


def end_with_parent(parent: int | None = None) -> None:
    """On Linux the kernel kills this process when its parent ends; exits if it has ended already.

    A fork names its `parent`, because it can't tell when it is asked too late.
    """
    if sys.platform == "linux":
        parent = parent or os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the parent process has ended")


def name_threads() -> None:
    """Give the kernel the names of Python's threads, so that /proc shows which thread works.

    Python does it itself from 3.14 on. A name has 15 bytes at most, so of a name in several parts,
    like `write-payment-1`, the first part is kept, and the last one if it is a word.
    """
    if sys.platform == "linux":
        threading.settrace(_name_thread)


def _name_thread(*_: Any) -> None:
    """Name the current thread; called once, as the thread begins."""
    sys.settrace(None)
    parts = threading.current_thread().name.split("-")
    words = [part for part in dict.fromkeys((parts[0], parts[-1])) if not part.isdigit()]
    ctypes.CDLL(None).prctl(_PR_SET_NAME, "-".join(words).encode(), 0, 0, 0)


if __name__ == "__main__":
    end_with_parent()
    name_threads()
    module = sys.argv.pop(1)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
