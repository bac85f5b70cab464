"""What is installed is what was locked, by version and hash, from any index."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from scripts.tools.node import APPLICATION
from scripts.tools.paths import ROOT

LOCKS = sorted(ROOT.glob("requirements*.txt"))
EACH_LOCK = pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)


def requirements(lock: Path) -> list[str]:
    """The requirements of a lock, continued lines joined."""
    joined = lock.read_text().replace("\\\n", " ")
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


@EACH_LOCK
def test_a_lock_names_no_index(lock: Path) -> None:
    """A lock has no addresses, paths or pip options, so it works on every machine."""
    assert "://" not in lock.read_text()
    assert not [line for line in requirements(lock) if line.startswith("-")]


@EACH_LOCK
def test_every_requirement_is_pinned_and_hashed(lock: Path) -> None:
    """Every requirement has a version and a hash, so an index can't change a file."""
    loose = [
        line for line in requirements(lock) if "==" not in line or "--hash=sha256:" not in line
    ]

    assert loose == []


def test_the_lock_of_the_node_application_names_no_registry() -> None:
    """npm uses the machine's own registry, and checks each package by its hash."""
    lock = json.loads((APPLICATION / "package-lock.json").read_text())
    packages = [package for name, package in lock["packages"].items() if name]

    assert len(packages) > 10
    assert [package for package in packages if "resolved" in package] == []
    assert all(package["integrity"].startswith("sha512-") for package in packages)
    assert "omit-lockfile-registry-resolved=true" in (APPLICATION / ".npmrc").read_text()


def test_the_lock_covers_the_project() -> None:
    """Every dependency and extra of the project is in the lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = {re.split(r"[\[<>=]", name)[0] for group in groups for name in group}
    locked = {line.partition("==")[0] for line in requirements(ROOT / "requirements.txt")}

    assert wanted - locked == {project["name"]}
