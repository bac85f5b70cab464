"""Commands in a fresh checkout, where nothing is installed yet."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.tools import commands
from scripts.tools.commands import SetupError
from scripts.tools.paths import ROOT, tool_environment

COMMANDS = (
    "run",
    "check",
    "test",
    "setup",
    "generate",
    "lock",
    "bench",
    "new-service",
    "release",
    "rollout",
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which nothing is installed."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for name in ("pyproject.toml", "requirements-tools.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def run(checkout: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a person does; it can't download anything."""
    return subprocess.run(
        command,
        cwd=checkout,
        env={**tool_environment(), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("typed", ["./", "sh "])
def test_help_needs_no_installation(checkout: Path, name: str, typed: str) -> None:
    """`--help` prints the usage under the command's name, and installs nothing.

    Whoever types `sh scripts/run` has a shell that may know nothing of bash.
    """
    done = run(checkout, *f"{typed}scripts/{name}".split(), "--help")

    assert done.returncode == 0, done.stderr
    assert f"usage: ./scripts/{name}" in done.stdout
    assert not (checkout / ".venv").exists()
    assert not (checkout / ".tools").exists()


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "test"])
def test_an_unknown_argument_is_refused_at_once(checkout: Path, name: str) -> None:
    """A mistyped option is refused before anything is installed; those of test go to pytest."""
    done = run(checkout, f"./scripts/{name}", "--bascets=1")

    assert done.returncode == 2
    assert f"usage: ./scripts/{name}" in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_file_is_looked_for_where_the_command_was_called(checkout: Path) -> None:
    """A relative path is the caller's, although the command itself works in the checkout."""
    (checkout / "here").mkdir()
    (checkout / "here" / "figures").mkdir()

    found = run(checkout / "here", "../scripts/run", "--json", "figures/day.json")
    missing = run(checkout / "here", "../scripts/run", "--json", "here/day.json")

    assert found.stderr.startswith("setup: ")
    assert "must be a file in a folder that exists, not here/day.json" in missing.stderr


def test_setup_says_first_what_it_downloads(checkout: Path) -> None:
    """The first line names the whole size and its parts; a failure is one message, no traceback."""
    done = run(checkout, "./scripts/setup")

    assert done.returncode == 1
    announced = done.stdout.splitlines()[0]
    assert re.match(r"this run downloads about \d+ MB into .venv/ and .tools/: Python ", announced)
    assert done.stderr.startswith("setup: ")
    assert "Traceback" not in done.stderr


def test_each_download_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    """What an installer begins to download is printed with its size, of uv and of pip."""
    lines = (
        "Downloading pyarrow (45.1MiB)\n"
        "Downloading https://index/ab/buf_bin-1.75.0-py3-none-any.whl (15.6 MB)\n"
        "Installed 90 packages in 1s"
    )
    commands.run_showing_downloads("printf", lines)

    assert capfd.readouterr().out == (
        "  downloading pyarrow (45.1MiB)\n  downloading buf_bin-1.75.0-py3-none-any.whl (15.6 MB)\n"
    )


def test_an_installer_that_fails_shows_its_output() -> None:
    """The error of a failed installer contains all that it printed."""
    with pytest.raises(SetupError, match="no space left"):
        commands.run_showing_downloads("sh", "-c", "echo no space left >&2; exit 1")
