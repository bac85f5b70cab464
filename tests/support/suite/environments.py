"""An application's environment: the wheel of this checkout and what it requires, nothing else."""

import asyncio
import sys
from pathlib import Path

from scripts.tools.environment import install, make_environment
from scripts.tools.paths import ROOT
from tests.support.suite.programs import run


async def build_wheel(folder: Path) -> Path:
    """The wheel, built from the checkout as it is."""
    build = ("-m", "hatchling", "build", "--target", "wheel", "--directory", folder)
    built = await run(sys.executable, *build, folder=ROOT)
    assert built.code == 0, built.err
    (wheel,) = await asyncio.to_thread(lambda: list(folder.glob("*.whl")))
    return wheel


def environment_with(wheel: Path, folder: Path, *, extra: str = "") -> Path:
    """The Python of an environment with the wheel, what it requires at the versions we tested."""
    lock = (ROOT / "requirements.txt").read_text().splitlines()
    versions = [line.rstrip(" \\") for line in lock if line and line[0].isalnum()]
    folder.mkdir()
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(versions))
    python = make_environment(folder / "venv")
    install(python, "--constraint", constraints, f"{wheel}{extra}")
    return python
