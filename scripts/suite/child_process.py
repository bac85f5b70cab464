"""Runs a module as a program that ends with whoever started it, however that ends.

    python -m scripts.suite.child_process services.order

The leash is put on from the inside, since a `preexec_fn` makes a fork of the starting process, and
a fork of a process that uses gRPC may crash before it gets so far.
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


def end_with_parent() -> None:
    """On Linux the kernel kills this process when its parent ends."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("whoever started this has ended")


def name_threads() -> None:
    """Have the kernel know threads of Python by name, so that it says which of them works.

    Python does it itself from 3.14 on. A name has 15 bytes, so of one in several parts, like
    `write-payment-1`, only the first part is told and the last, where that is a word.
    """
    if sys.platform == "linux":
        threading.settrace(_name_thread)


def _name_thread(*_: Any) -> None:
    """Called as each thread begins, once."""
    sys.settrace(None)
    parts = threading.current_thread().name.split("-")
    words = [part for part in dict.fromkeys((parts[0], parts[-1])) if not part.isdigit()]
    ctypes.CDLL(None).prctl(_PR_SET_NAME, "-".join(words).encode(), 0, 0, 0)


if __name__ == "__main__":
    end_with_parent()
    name_threads()
    module = sys.argv.pop(1)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
