"""Runs other programs during setup, and keeps their output for the error message."""

import os
import subprocess
from pathlib import Path

from scripts.tools.paths import ROOT


class SetupError(Exception):
    """Setup can't do something on this machine; the message says what a person can do."""


def run(*command: str | Path, settings: dict[str, str] | None = None) -> str:
    """Run a command in the checkout and return what it printed.

    `settings` are added to its environment. Raises SetupError with its output when it fails or
    doesn't exist. The command inherits setup's lock, so that after a kill of setup the lock is
    free only when the command has ended, too.
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
