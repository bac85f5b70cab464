"""Running other programs during setup, with their output kept for the error."""

import os
import subprocess
from pathlib import Path

from scripts.tools.paths import ROOT


class SetupError(Exception):
    """Something setup can't do here; the message says what a person can do about it."""


def run(*command: str | Path, settings: dict[str, str] | None = None) -> str:
    """Run a command in the checkout and return what it printed.

    `settings` are added to its environment. Raises SetupError, with all it printed, when it
    fails or doesn't exist. The command inherits setup's lock: should setup be killed, the lock
    is free only when nobody writes any more.
    """
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **(settings or {})}
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            close_fds=False,
        )
    except OSError as error:
        raise SetupError(f"{words[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise SetupError(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
