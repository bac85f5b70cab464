"""Another revision of the repository beside the working tree."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from discovery.clock import SystemClock
from scripts.benchmarks.checkout.baseline_choice import Against, BaselineChoice
from scripts.benchmarks.shared.demand import read_demand
from scripts.benchmarks.stored.prefilled_suite import SuiteKind, open_prefilled_suite
from scripts.releases import revision_checkout
from scripts.suite.processes.slot import Installation
from scripts.tools.paths import ROOT

MARK = "an older revision"


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("floor", BaselineChoice(Against.FLOOR)),
        ("ours-at=407f814", BaselineChoice(Against.OURS_AT, "407f814")),
        ("ours-at=topic/a=b", BaselineChoice(Against.OURS_AT, "topic/a=b")),
    ],
)
def test_a_baseline_is_a_word_or_a_revision(text: str, choice: BaselineChoice) -> None:
    """A revision is what git calls it, behind the first equals sign."""
    assert BaselineChoice.parse(text) == choice


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ceiling", "no baseline ceiling; there are floor"),
        ("ours-at", "needs a commit"),
        ("ours-at=", "needs a commit"),
        ("floor=2", "floor takes no value"),
    ],
)
def test_another_word_is_refused(text: str, reason: str) -> None:
    """The error says what there is."""
    with pytest.raises(typer.BadParameter, match=reason):
        BaselineChoice.parse(text)


def test_an_unknown_revision_ends_the_run_before_it_begins(tmp_path: Path) -> None:
    """A revision that git doesn't know is one line, and nothing is started for the others."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "scripts.benchmarks", "checkout", f"--folder={tmp_path}"),
            *("--against=floor", "--against=ours-at=no-such-revision"),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    (line,) = done.stdout.splitlines()
    assert line.startswith("no-such-revision names no commit here")
    assert not list(tmp_path.iterdir())


def test_a_name_that_looks_like_an_option_is_no_option() -> None:
    """git takes a revision as a name, whatever it begins with."""
    with pytest.raises(revision_checkout.RevisionError, match="names no commit"):
        revision_checkout.commit_of("--help")


@pytest.mark.parametrize(
    ("lock", "enough"),
    [("{all}", True), ("", True), ("{all}leftpad==1.0 \\\n", False), ("grpcio==1.0 \\\n", False)],
)
def test_a_revision_whose_packages_are_here_needs_no_environment(
    tmp_path: Path, lock: str, *, enough: bool
) -> None:
    """All packages of its lock must be in the lock of this checkout, in the same versions."""
    here = (ROOT / "requirements.txt").read_text()
    (tmp_path / "requirements.txt").write_text(lock.format(all=here))

    assert revision_checkout.needs_no_other_packages(tmp_path) == enough


async def test_a_revision_runs_its_own_code(tmp_path: Path) -> None:
    """A suite of another checkout runs that one's services, and takes the same orders."""
    root = tmp_path / "older"
    revision_checkout.unpack(revision_checkout.commit_of("HEAD"), root)
    (root / ".venv").symlink_to(ROOT / ".venv")
    program = root / "services" / "order" / "__main__.py"
    program.write_text(program.read_text().replace('"""\n', f'"""\nprint("{MARK}")\n', 1))
    older = Installation(root, root / ".venv" / "bin" / "python")
    kind = SuiteKind(postgres=False, instances=1, installation=older)
    demand, rng = read_demand(), random.Random(9)
    folder = tmp_path / "run"
    async with open_prefilled_suite(folder, demand, kind, clock=SystemClock(), rng=rng) as suite:
        for request in demand.requests(1, rng):
            await suite.place(request)

    assert MARK in (folder / "logs" / "order-1.log").read_text()
