"""Chooses the Python of the virtual environment: the fastest suitable one, by a short measurement.

Builds of one version differ. A build without profile-guided optimization, the default of version
managers, takes 1.4 times as long for plain Python as Debian's. The flags that a build reports don't
show it: Debian's reports those of another build. Standard library only.
"""

import math
import shutil
import subprocess
from collections.abc import Iterable

_NAMES = ("python3", "python3.14", "python3.13", "python3.12", "python3.11", "/usr/bin/python3")
# A smaller gain may be noise; then the caller's own Python is taken.
_GAIN_MIN = 1.15
_TIMEOUT_S = 20.0

# Fails in a Python that can't run the project or make an environment. Otherwise prints the CPU
# seconds of the best of a few turns of common work: attributes, calls, dictionaries, strings.
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

    Another one is also taken if `own` can't make an environment; `own` if none can.
    """
    measured = {path: _measure(path) for path in dict.fromkeys((own, *others))}
    suitable = {path: cpu_s for path, cpu_s in measured.items() if cpu_s is not None}
    if not suitable:
        return own
    best = min(suitable, key=suitable.__getitem__)
    own_s = suitable.get(own, math.inf)
    return best if own_s / suitable[best] >= _GAIN_MIN else own


def on_this_machine() -> tuple[str, ...]:
    """The paths of the Pythons on this machine, under their usual names."""
    return tuple(filter(None, map(shutil.which, _NAMES)))


def _measure(python: str) -> float | None:
    """CPU seconds of the measurement; None if the Python isn't suitable."""
    command = [python, "-I", "-c", _TURNS]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=_TIMEOUT_S)
        return float(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
