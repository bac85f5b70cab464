"""Installs the compiler of `generated/`, in an environment of its own.

It is older than what the checkout runs on: generated code refuses a protobuf or grpcio older than
its compiler, and applications that install the wheel keep older ones than we do.
Standard library only.
"""

import shutil
from pathlib import Path

from scripts.tools import interpreter, stamps
from scripts.tools.commands import SetupError, run
from scripts.tools.environment import PYTHON, install, make_environment
from scripts.tools.paths import ROOT, TOOLS

LOCK = ROOT / "requirements-stubs.txt"
# buf.gen.yaml names the Python in it.
FOLDER = TOOLS / "stubs"
STAMP = TOOLS / ".stubs-done"
# There are no wheels of the compiler for later versions of Python.
_IS_SUITABLE = "import sys, venv; assert (3, 11) <= sys.version_info < (3, 14)"


def ensure_installed() -> None:
    """Install the compiler unless it is there. Raises SetupError when it can't."""
    # Resolved: a copy of the checkout may use the programs of another one.
    key = stamps.digest(LOCK, str(FOLDER.resolve()))
    with stamps.only_one(TOOLS / ".setup-lock"):
        if stamps.is_fresh(STAMP, key):
            return
        print("installing the compiler of the stubs into .tools (3 MB)", flush=True)
        shutil.rmtree(FOLDER, ignore_errors=True)
        python = make_environment(FOLDER, _suitable_python())
        install(python, "--no-deps", "--require-hashes", "-r", LOCK)
        stamps.leave(STAMP, key)


def _suitable_python() -> Path:
    for python in (str(PYTHON), *interpreter.on_this_machine()):
        try:
            run(python, "-c", _IS_SUITABLE)
        except SetupError:
            continue
        return Path(python)
    raise SetupError(
        "the compiler of the stubs needs Python 3.11, 3.12 or 3.13: install one with your package"
        " manager and run me again"
    )
