"""Makes the virtual environment, with the locked dependencies and the project as an editable.

Standard library only: it runs before anything is installed.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.tools import debian, interpreter, stamps
from scripts.tools.commands import SetupError, run, run_showing_downloads
from scripts.tools.paths import ROOT, TOOLS, VENV

PYTHON = VENV / "bin" / "python"
INTERRUPTED = VENV / ".setup-unfinished"
STAMP = VENV / ".setup-done"
LOCKS = (ROOT / "requirements.txt", ROOT / "requirements-data.txt")
# xds-protos brings modules of this package too, and older ones: the last that is installed counts.
INSTALLED_LAST = "opentelemetry-proto"
# The size of what the locks name, as downloaded on Linux.
DOWNLOAD_MB = 150


def downloads() -> list[tuple[str, int]]:
    """What is not installed yet, with its size in MB."""
    return [] if STAMP.exists() else [("Python packages", DOWNLOAD_MB)]


def ensure_venv() -> None:
    """Make `.venv` if it is missing or broken, or if a setup was killed while it filled it."""
    if not INTERRUPTED.exists() and _answers(PYTHON, "import pip"):
        return
    print("creating .venv", flush=True)
    if VENV.exists():
        shutil.rmtree(VENV)
    VENV.mkdir()
    INTERRUPTED.touch()
    python = interpreter.fastest(sys.executable, interpreter.on_this_machine())
    if _answers(python, "import ensurepip"):
        run(python, "-m", "venv", VENV)
    else:
        run(python, "-m", "venv", "--without-pip", VENV)
        _install_pip()
    INTERRUPTED.unlink()


def ensure_packages() -> None:
    """Install the packages of the locks, then the project as an editable."""
    key = stamps.digest(str(ROOT), *LOCKS, ROOT / "pyproject.toml")
    if stamps.is_fresh(STAMP, key):
        return
    print("installing the locked dependencies into .venv", flush=True)
    INTERRUPTED.touch()
    try:
        for lock in LOCKS:
            install(PYTHON, "--no-deps", "--require-hashes", "-r", lock)
        _install_over(INSTALLED_LAST, LOCKS[0])
        install(PYTHON, "--no-deps", "--no-build-isolation", "-e", ROOT)
    finally:
        # An installer that fails cleans up; only a killed one leaves a half installed package.
        INTERRUPTED.unlink()
    stamps.leave(STAMP, key)


def _install_over(package: str, lock: Path) -> None:
    """Install a package once more, over modules of the same names that came with another one."""
    locked = re.search(rf"^{package}==.*?[^\\]$", lock.read_text(), re.MULTILINE | re.DOTALL)
    if locked is None:
        raise SetupError(f"{lock.name} does not name {package}: run ./scripts/lock")
    with tempfile.TemporaryDirectory() as folder:
        one = Path(folder) / "requirements.txt"
        one.write_text(locked[0])
        install(PYTHON, "--no-deps", "--require-hashes", "--force-reinstall", "-r", one)


def make_environment(folder: Path, base: Path = PYTHON) -> Path:
    """Make an empty virtual environment of `base` without pip; return its Python."""
    run(TOOLS / "bin" / "uv", "venv", "--quiet", "--python", base, folder)
    return folder / "bin" / "python"


def install(python: Path, *arguments: str | Path) -> None:
    """Install into that Python's environment.

    uv takes seconds where pip takes a minute. When uv fails, pip is used, because it knows more of
    a machine's index settings.
    """
    uv = TOOLS / "bin" / "uv"
    try:
        run_showing_downloads(uv, "pip", "install", "--python", python, *arguments)
    except (SetupError, OSError):
        pip = (PYTHON, "-m", "pip", "--python", python, "install", "--no-compile")
        run_showing_downloads(*pip, *arguments)


def _install_pip() -> None:
    """Install pip from a Debian wheel: Debian has ensurepip in a separate package."""
    advice = "install ensurepip (Debian, Ubuntu: apt-get install python3-venv) and run me again"
    if not debian.is_debian():
        raise SetupError(advice)
    try:
        wheel = debian.pip_wheel(TOOLS / "downloads")
    except SetupError as error:
        raise SetupError(f"{error}\n{advice}") from error
    run(PYTHON, f"{wheel}/pip", "install", "--no-index", wheel)


def _answers(python: str | Path, code: str) -> bool:
    """Whether an interpreter starts and runs `code` without an error."""
    try:
        return (
            subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0
        )
    except OSError:
        return False
