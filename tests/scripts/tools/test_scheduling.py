"""Tests of one file share a process, so what they share is set up once, and ends when it should."""

import subprocess
import sys
from pathlib import Path

from scripts.tools.paths import ROOT
from tests.support.limits import WAIT_S

CONFTEST = "from tests.support.scheduling import pytest_xdist_make_scheduler\n"
# Each test notes its file and process. It waits until both processes have begun, so that a process
# that is faster can't take all tests.
TESTS = """
import os, pathlib, time, pytest

@pytest.mark.parametrize("number", range(10))
def test_one(number, pytestconfig):
    worker, notes = os.environ["PYTEST_XDIST_WORKER"], pathlib.Path(os.environ["NOTES"])
    (notes / f"began-{worker}").touch()
    while len(list(notes.glob("began-*"))) < 2:
        time.sleep(0.01)
    (notes / f"{pathlib.Path(__file__).stem}-{worker}").touch()
"""
FILES = (
    "tests/integration/pages/test_desk.py",
    "tests/integration/pages/test_shop.py",
    "tests/services/test_orders.py",
    "tests/services/test_payments.py",
)


def test_a_file_stays_in_one_process_and_a_folder_of_suites_in_one(tmp_path: Path) -> None:
    """Two processes run four files: each file in one, and both that start suites in the same."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(TESTS)
    notes = tmp_path / "notes"
    notes.mkdir()

    options = ("--numprocesses=2", "--dist=loadfile", "--import-mode=importlib", "--rootdir=.")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "tests"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "NOTES": str(notes)},
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    pairs = [path.name.split("-") for path in notes.glob("test_*")]
    workers = dict(pairs)
    assert len(pairs) == len(workers) == len(FILES)
    assert workers["test_desk"] == workers["test_shop"]
    assert set(workers.values()) == {"gw0", "gw1"}


def test_what_a_folder_shares_ends_with_the_folder() -> None:
    """pytest ends a fixture of scope "package" before the whole run is over in a package only."""
    sharing = [
        path for path in (ROOT / "tests").rglob("*.py") if 'scope="package"' in path.read_text()
    ]
    sharing.remove(Path(__file__))

    assert sharing
    assert [path for path in sharing if not path.with_name("__init__.py").exists()] == []
