"""A service's program ends by its own stop, at whatever moment signals reach it."""

import signal
import subprocess
import sys

import pytest

# Another process signals the program without a pause from before its start until it has ended.
PROGRAM = """
import asyncio, os, subprocess, sys
from services.chassis.server import program

SIGNALLER = "import os, sys\\nwhile True: os.kill(int(sys.argv[1]), int(sys.argv[2]))"

async def main():
    stop = asyncio.Event()
    with program.on_first_signal(stop.set):
        subprocess.Popen([sys.executable, "-c", SIGNALLER, str(os.getpid()), sys.argv[1]],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await stop.wait()
    print("stopped")

sys.exit(program.run(main, service="echo"))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_without_a_pause_do_not_cut_the_stop_short(number: signal.Signals) -> None:
    """The program ends with status 0 and prints nothing but its own line."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(int(number))],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "stopped\n", "")
