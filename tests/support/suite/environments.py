"""Environments of an application: the wheel of this checkout with its dependencies, nothing
else.
"""

import asyncio
import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from scripts.tools.environment import install, make_environment
from scripts.tools.paths import ROOT
from tests.support.suite.programs import run

_LOWER_BOUND = re.compile(r"([\w-]+)(?:\[\w+\])?>=([\w.]+)(?:,<\d+)?")


async def build_wheel(folder: Path) -> Path:
    """Build the wheel from the checkout as it is."""
    build = ("-m", "hatchling", "build", "--target", "wheel", "--directory", folder)
    built = await run(sys.executable, *build, folder=ROOT)
    assert built.code == 0, built.err
    (wheel,) = await asyncio.to_thread(lambda: list(folder.glob("*.whl")))
    return wheel


def locked_versions() -> list[str]:
    """What the checkout itself runs on."""
    lock = (ROOT / "requirements.txt").read_text().splitlines()
    return [line.rstrip(" \\") for line in lock if line and line[0].isalnum()]


def lowest_versions() -> list[str]:
    """Each dependency of the wheel and of its extras at its lower bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    sections = [project["dependencies"], *project["optional-dependencies"].values()]
    bounds = [_LOWER_BOUND.fullmatch(each) for section in sections for each in section]
    return [f"{bound[1]}=={bound[2]}" for bound in bounds if bound]


def environment_with(
    wheel: Path,
    folder: Path,
    *packages: str,
    extra: str = "",
    versions: Sequence[str] | None = None,
) -> Path:
    """Make an environment with the wheel, its dependencies and `packages`, at our locked versions.

    `versions` replaces those. Returns its Python.
    """
    folder.mkdir()
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(locked_versions() if versions is None else versions))
    python = make_environment(folder / "venv")
    install(python, "--constraint", constraints, f"{wheel}{extra}", *packages)
    return python
