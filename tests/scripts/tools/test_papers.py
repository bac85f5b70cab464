"""README, ARCHITECTURE and docs name what is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.tools.paths import ROOT

PAPERS = [
    ROOT / "README.md",
    ROOT / "ARCHITECTURE.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
README_CHARACTERS = 6_500
ROOT_FOLDERS = (
    "deploy",
    "discovery",
    "services",
    "scripts",
    "tests",
    "protos",
    "generated",
    "docs",
)

EACH_PAPER = pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)


def paths_in(text: str) -> Iterator[str]:
    """What is in backticks and looks like a path of this checkout; `*` and `<name>` match any."""
    for quoted in re.findall(r"`([^`\s]+)`", text):
        first = quoted.split("/")[0].removeprefix("./")
        if "/" in quoted and first in ROOT_FOLDERS and "=" not in quoted:
            yield re.sub(r"<\w+>", "*", quoted.removeprefix("./").rstrip("/"))


@EACH_PAPER
def test_a_path_that_a_paper_names_exists(paper: Path) -> None:
    """A file or folder in backticks is in the checkout."""
    named = set(paths_in(paper.read_text()))

    assert [path for path in sorted(named) if not any(ROOT.glob(path))] == []


@EACH_PAPER
def test_a_link_leads_to_a_file(paper: Path) -> None:
    """A relative link leads to a file of the checkout."""
    links = re.findall(r"\]\((?!http)([^)#]+)", paper.read_text())

    assert [link for link in links if not (paper.parent / link).exists()] == []


def test_a_script_that_a_paper_names_exists() -> None:
    """`./scripts/<name>` is a command."""
    text = "\n".join(paper.read_text() for paper in PAPERS)
    named = set(re.findall(r"\./scripts/([a-z-]+)", text))

    assert named
    assert [name for name in sorted(named) if not (ROOT / "scripts" / name).is_file()] == []


def test_the_readme_fits_a_screen_and_a_half() -> None:
    """README stays short; the rest is in docs."""
    assert len((ROOT / "README.md").read_text()) <= README_CHARACTERS


def test_the_readme_begins_with_the_two_commands() -> None:
    """The first block of commands is `./scripts/run` and `./scripts/test`, nothing else."""
    first = (ROOT / "README.md").read_text().split("```")[1]
    commands = [line.split()[0] for line in first.splitlines() if line.startswith("./")]

    assert commands == ["./scripts/run", "./scripts/test"]
