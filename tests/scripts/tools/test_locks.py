"""What is installed is what was locked, by version and hash, from any index."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from scripts.tools.node import PACKAGES
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


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda folder: folder.name)
def test_a_lock_of_node_packages_names_no_registry(folder: Path) -> None:
    """npm uses the machine's own registry, and checks each package by its hash."""
    lock = json.loads((folder / "package-lock.json").read_text())
    packages = [package for name, package in lock["packages"].items() if name]

    assert packages
    assert [package for package in packages if "resolved" in package] == []
    assert all(package["integrity"].startswith("sha512-") for package in packages)
    assert "omit-lockfile-registry-resolved=true" in (folder / ".npmrc").read_text()


def test_the_lock_covers_the_project() -> None:
    """Every dependency, extra and group of the project is in the lock."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, groups = declared["project"], declared["dependency-groups"]
    sections = [project["dependencies"], *project["optional-dependencies"].values()]
    sections += [[each for each in group if isinstance(each, str)] for group in groups.values()]
    wanted = {re.split(r"[\[<>=]", name)[0] for section in sections for name in section}
    locked = {line.partition("==")[0] for line in requirements(ROOT / "requirements.txt")}

    assert wanted <= locked


def test_the_lock_is_made_of_all_extras_and_groups() -> None:
    """scripts/lock names the group that includes all others, and every extra."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    included = {each["include-group"] for each in groups["dev"] if isinstance(each, dict)}

    assert included == set(groups) - {"dev"}
    assert "--all-extras --group dev" in (ROOT / "scripts" / "lock").read_text()
