"""Runs a module as a program that ends with whoever started it, however that ends.

    python -m scripts.tools.leashed services.order

The leash is put on from the inside, since a `preexec_fn` makes a fork of the starting process, and
a fork of a process that uses gRPC may crash before it gets so far.
"""

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """On Linux the kernel kills this process when its parent ends."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("whoever started this has ended")


if __name__ == "__main__":
    end_with_parent()
    module = sys.argv.pop(1)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
