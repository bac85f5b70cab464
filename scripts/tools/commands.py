"""Runs other programs during setup, and keeps their output for the error message."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from scripts.tools.paths import ROOT

# How uv and pip announce a download: name or address, and size.
_DOWNLOAD = re.compile(r"\s*Downloading (?:\S*/)?(\S+) \(([^)]+)\)")


class SetupError(Exception):
    """Setup can't do something on this machine; the message says what a person can do."""


def run(*command: str | Path, settings: dict[str, str] | None = None, folder: Path = ROOT) -> str:
    """Run a command in the checkout, or in another folder, and return what it printed.

    `settings` are added to its environment. Raises SetupError with its output when it fails or
    doesn't exist. The command inherits setup's lock, so that after a kill of setup the lock is
    free only when the command has ended, too.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env=_environment(settings or {}),
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


def run_showing_downloads(*command: str | Path) -> None:
    """Run an installer like `run`, and print each download that it begins, with its size."""
    words = [str(word) for word in command]
    output: list[str] = []
    try:
        with subprocess.Popen(
            words,
            cwd=ROOT,
            env=_environment({"PYTHONUNBUFFERED": "1"}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            close_fds=False,
        ) as process:
            assert process.stdout is not None  # noqa: S101 (Popen was given a pipe)
            for line in process.stdout:
                output.append(line)
                if download := _DOWNLOAD.match(line):
                    print(f"  downloading {download[1]} ({download[2]})", flush=True)
    except OSError as error:
        raise SetupError(f"{words[0]}: {error.strerror}") from error
    if process.returncode != 0:
        raise SetupError(f"{' '.join(words)} failed:\n{''.join(output)}")


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **settings}
