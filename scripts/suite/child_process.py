"""Runs a module as a child process that ends with its parent, however the parent ends.

    python -m scripts.suite.child_process services.order

The child itself asks the kernel for it. A `preexec_fn` of the parent would do it in a fork, and a
fork of a process that uses gRPC may crash first.
"""

import ctypes
import gc
import importlib
import os
import runpy
import signal
import sys
import threading
from importlib.util import find_spec
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


def end_with_parent() -> None:
    """On Linux the kernel kills this process when its parent ends."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the parent process has ended")


def import_without_collector(module: str) -> None:
    """Import what a module imports, before the module runs, while the collector is off.

    Imports leave no garbage, but the search for it takes a sixth of an instance's start.
    """
    spec = find_spec(module)
    name = f"{module}.__main__" if spec and spec.submodule_search_locations else module
    gc.disable()
    importlib.import_module(name)
    gc.freeze()
    gc.enable()
    # It runs as `__main__`, and runpy would warn of a module that is imported already.
    del sys.modules[name]


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
    import_without_collector(module)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
