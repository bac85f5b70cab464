"""Environments of an application: the wheel of this checkout with its dependencies, nothing
else.
"""

import asyncio
import sys
from pathlib import Path

from scripts.tools.environment import install, make_environment
from scripts.tools.paths import ROOT
from tests.support.suite.programs import run


async def build_wheel(folder: Path) -> Path:
    """Build the wheel from the checkout as it is."""
    build = ("-m", "hatchling", "build", "--target", "wheel", "--directory", folder)
    built = await run(sys.executable, *build, folder=ROOT)
    assert built.code == 0, built.err
    (wheel,) = await asyncio.to_thread(lambda: list(folder.glob("*.whl")))
    return wheel


def environment_with(wheel: Path, folder: Path, *, extra: str = "") -> Path:
    """Make an environment with the wheel and its dependencies at our locked versions.

    Returns its Python.
    """
    lock = (ROOT / "requirements.txt").read_text().splitlines()
    versions = [line.rstrip(" \\") for line in lock if line and line[0].isalnum()]
    folder.mkdir()
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(versions))
    python = make_environment(folder / "venv")
    install(python, "--constraint", constraints, f"{wheel}{extra}")
    return python
