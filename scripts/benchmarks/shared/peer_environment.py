"""Installs what benchmarks compare with, and the product doesn't need, in environments apart."""

import shutil
from pathlib import Path

from scripts.tools import stamps
from scripts.tools.commands import SetupError
from scripts.tools.environment import install, make_environment
from scripts.tools.paths import ROOT, TOOLS


class PeerMissingError(Exception):
    """A peer can't be installed, or did not start."""


def ensure_installed(name: str) -> Path:
    """The Python of `.tools/<name>` with what `requirements-<name>.txt` locks.

    Installs it if needed. Raises PeerMissingError.
    """
    lock, folder, stamp = ROOT / f"requirements-{name}.txt", TOOLS / name, TOOLS / f".{name}-done"
    python = folder / "bin" / "python"
    key = stamps.digest(lock, str(folder))
    try:
        with stamps.only_one(TOOLS / ".setup-lock"):
            if not stamps.is_fresh(stamp, key):
                shutil.rmtree(folder, ignore_errors=True)
                make_environment(folder)
                install(python, "--no-deps", "--require-hashes", "-r", lock)
                stamps.leave(stamp, key)
    except (SetupError, OSError) as error:
        raise PeerMissingError(f"{lock.name} can't be installed: {error}") from error
    return python
