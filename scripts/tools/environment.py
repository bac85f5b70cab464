"""Makes the virtual environment, with the locked dependencies and the project as an editable.

Standard library only: it runs before anything is installed.
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path

from scripts.tools import debian, interpreter, stamps
from scripts.tools.commands import SetupError, run, run_showing_downloads
from scripts.tools.paths import ROOT, TOOLS, VENV

PYTHON = VENV / "bin" / "python"
INTERRUPTED = VENV / ".setup-unfinished"
STAMP = VENV / ".setup-done"
LOCKS = (ROOT / "requirements.txt", ROOT / "requirements-data.txt")
# It brings copies of modules of other packages, older than theirs. The last one installed counts.
COPIER = "xds-protos"
# The size of what the locks name, as downloaded on Linux.
DOWNLOAD_MB = 282


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
    key = stamps.digest(str(ROOT), COPIER, *LOCKS, _what_is_installed())
    if stamps.is_fresh(STAMP, key):
        return
    print("installing the locked dependencies into .venv", flush=True)
    INTERRUPTED.touch()
    try:
        for lock in LOCKS:
            install(PYTHON, "--no-deps", "--require-hashes", "-r", lock)
        _install_over_copies(LOCKS[0])
        install(PYTHON, "--no-deps", "--no-build-isolation", "-e", ROOT)
    finally:
        # An installer that fails cleans up; only a killed one leaves a half installed package.
        INTERRUPTED.unlink()
    stamps.leave(STAMP, key)


def _what_is_installed() -> str:
    """What pyproject.toml says of the project itself; most of the file is about its tools."""
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return json.dumps([stated["build-system"], stated["project"], stated["tool"]["hatch"]])


def _install_over_copies(lock: Path) -> None:
    """Install once more the packages of which the copier has overwritten modules."""
    (site_packages,) = VENV.glob("lib/python*/site-packages")
    copied = {
        package
        for owners in shared_files(site_packages).values()
        if COPIER in owners
        for package in owners
    }
    locked = [_locked(package, lock) for package in sorted(copied - {COPIER})]
    if locked:
        with tempfile.TemporaryDirectory() as folder:
            again = Path(folder) / "requirements.txt"
            again.write_text("\n".join(locked))
            install(PYTHON, "--no-deps", "--require-hashes", "--force-reinstall", "-r", again)


def _locked(package: str, lock: Path) -> str:
    """What a lock says of a package: its version and hashes."""
    entry = rf"^{re.escape(package)}==.*?[^\\]$"
    found = re.search(entry, lock.read_text(), re.MULTILINE | re.DOTALL)
    if found is None:
        raise SetupError(f"{lock.name} does not name {package}: run ./scripts/lock")
    return found[0]


def shared_files(site_packages: Path) -> Mapping[Path, Mapping[str, str]]:
    """The files that more than one package brings, with the hash of each package's own."""
    owners: dict[Path, dict[str, str]] = {}
    for package in distributions(path=[str(site_packages)]):
        for file in package.files or ():
            # Programs lie outside, and what the installer itself makes has no hash.
            if file.hash is not None and file.parts[0] != "..":
                found = owners.setdefault(site_packages / file, {})
                found[_normalized(package.metadata["Name"])] = file.hash.value
    return {path: found for path, found in owners.items() if len(found) > 1}


def hash_of(file: Path) -> str:
    """The hash of a file as a RECORD has it."""
    digest = hashlib.sha256(file.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _normalized(name: str) -> str:
    """The name of a package as locks have it."""
    return re.sub(r"[-_.]+", "-", name).lower()


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
