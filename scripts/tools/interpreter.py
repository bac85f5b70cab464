"""Which Python the virtual environment is made of: the fastest that suits, by a short measurement.

Builds of one version differ. One without profile-guided optimization, as version managers make
by default, takes 1.4 times as long for plain Python as Debian's, and what a build says about itself
doesn't tell: Debian's reports the flags of another build. Standard library only.
"""

import math
import shutil
import subprocess
from collections.abc import Iterable

_NAMES = ("python3", "python3.14", "python3.13", "python3.12", "python3.11", "/usr/bin/python3")
# Below that, a difference may be noise, and the caller's own Python is the one to expect.
_GAIN_MIN = 1.15
_TIMEOUT_S = 20.0

# Refuses what can't run the project or can't make an environment, then prints CPU seconds of the
# best of a few turns of what Python programs do: attributes, calls, dictionaries, strings.
_TURNS = """
import sys, time
assert sys.version_info >= (3, 11)
import asyncio, ctypes, ensurepip, sqlite3, ssl, venv
class Line:
    __slots__ = ("price", "count")
    def __init__(self, price, count):
        self.price, self.count = price, count
    def total(self):
        return self.price * self.count
def turn():
    began_s = time.process_time()
    known = {}
    for number in range(20_000):
        known[number % 500] = f"{Line(number, 2).total()} cents"
    return time.process_time() - began_s
print(min(turn() for _ in range(8)))
"""


def fastest(own: str, others: Iterable[str]) -> str:
    """The path of the Python to build on: `own`, unless another is clearly faster.

    Also another where `own` can't make an environment; `own` where none can.
    """
    measured = {path: _measure(path) for path in dict.fromkeys((own, *others))}
    suitable = {path: cpu_s for path, cpu_s in measured.items() if cpu_s is not None}
    if not suitable:
        return own
    best = min(suitable, key=suitable.__getitem__)
    own_s = suitable.get(own, math.inf)
    return best if own_s / suitable[best] >= _GAIN_MIN else own


def on_this_machine() -> tuple[str, ...]:
    """The paths of the Pythons that are usually to be found."""
    return tuple(filter(None, map(shutil.which, _NAMES)))


def _measure(python: str) -> float | None:
    """CPU seconds; None where that Python doesn't suit."""
    command = [python, "-I", "-c", _TURNS]
    try:
        told = subprocess.run(command, capture_output=True, check=True, timeout=_TIMEOUT_S)
        return float(told.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
