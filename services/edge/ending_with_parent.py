"""Replaces itself by a program that ends when the process that started it ends, however that ends.

    python -I ending_with_parent.py <id of the parent> /usr/bin/envoy --config-yaml ...

The child itself asks the kernel for it, which a parent could only do in a fork; a fork of a process
that uses gRPC may crash. Linux only; elsewhere the program outlives a parent that is killed.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Run the command in this process. The parent may have ended before this process began."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the parent process has ended")
    os.execv(command[0], command)  # noqa: S606 - a list of arguments, and no shell


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
