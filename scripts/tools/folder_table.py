"""The table of folders in ARCHITECTURE.md: modules, lines, and the folders each one imports.

`scripts/generate` computes it from the source. `scripts/check` compares the folders and what they
import; counts of modules and lines change with every commit and are not compared.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from scripts.tools.paths import ROOT

PAPER = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- folders -->\n", "<!-- /folders -->\n"
_TREES = ("discovery", "services", "scripts")
_LINES_UNIT = 100


def with_table(paper: str) -> str:
    """The text of ARCHITECTURE.md with the table as it must be."""
    before, _, rest = paper.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + END + after


def without_counts(paper: str) -> str:
    """The text with the counts of modules and lines left out of the table."""
    return re.sub(r"^(\| `[^`]+` \|) [\d,]+ \| [\d,]+ \|", r"\1", paper, flags=re.MULTILINE)


def table() -> str:
    """A row for each folder of modules."""
    folders = {folder: sorted(folder.glob("*.py")) for folder in _folders()}
    names = {_dotted(folder) for folder in folders}
    rows = ["| folder | modules | lines | imports |", "|---|---|---|---|"]
    for folder, files in folders.items():
        modules = sum(file.stem != "__init__" for file in files)
        lines = sum(file.read_text().count("\n") for file in files)
        hundreds = max(1, round(lines / _LINES_UNIT)) * _LINES_UNIT
        imported = sorted(_imported(files, names) - {_dotted(folder)})
        rows.append(
            f"| `{folder.relative_to(ROOT)}` | {modules} | {hundreds:,} | {_compact(imported)} |"
        )
    return "\n".join(rows) + "\n"


def _folders() -> Iterator[Path]:
    for tree in _TREES:
        for folder in sorted({file.parent for file in (ROOT / tree).rglob("*.py")}):
            if folder.name not in {"migrations", "migration_environment"}:
                yield folder


def _dotted(folder: Path) -> str:
    return str(folder.relative_to(ROOT)).replace("/", ".")


def _imported(files: list[Path], names: set[str]) -> set[str]:
    """The folders among `names` that the files import modules of."""
    modules = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                modules |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
            elif isinstance(node, ast.Import):
                modules |= {each.name for each in node.names}
    return {name for name in map(_folder_of, modules) if name in names}


def _folder_of(module: str) -> str:
    """The folder of a module; a package stands for itself. "" for what is not a file of ours."""
    path = ROOT / module.replace(".", "/")
    if path.with_suffix(".py").is_file():
        return _dotted(path.parent)
    return _dotted(path) if (path / "__init__.py").is_file() and path.parent == ROOT else ""


def _compact(names: list[str]) -> str:
    """Folders of one parent share it: `chassis.{log, store}`."""
    by_parent: dict[str, list[str]] = {}
    for name in names:
        parent, _, last = name.rpartition(".")
        by_parent.setdefault(parent.removeprefix("services."), []).append(last)
    parts = []
    for parent, lasts in by_parent.items():
        joined = lasts[0] if len(lasts) == 1 else "{" + ", ".join(lasts) + "}"
        parts.append(f"{parent}.{joined}" if parent else joined)
    return " ".join(parts)
