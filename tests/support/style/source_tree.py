"""The project's own Python files as syntax trees, for the tests of its style."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from scripts.tools.paths import ROOT

FOLDERS = ("discovery", "services", "scripts", "tests")


@dataclass(frozen=True, slots=True, eq=False)
class SourceFile:
    """One file: its path from the root with forward slashes, its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, path: str, text: str) -> "SourceFile":
        """Parse `text` as the file at `path`."""
        return cls(path, text, ast.parse(text, path))


@dataclass(frozen=True, slots=True)
class Use:
    """One use of an imported name, with its full dotted name; `call` if it is called directly."""

    name: str
    line: int
    call: ast.Call | None


@cache
def source_files() -> tuple[SourceFile, ...]:
    """Every Python file of ours, without generated code."""
    paths = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return tuple(
        SourceFile.of(path.relative_to(ROOT).as_posix(), path.read_text()) for path in paths
    )


def imported_names(tree: ast.Module) -> dict[str, str]:
    """Local name to full dotted name, for every absolute import anywhere in the file."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                local = alias.asname or alias.name.partition(".")[0]
                names[local] = alias.name if alias.asname else local
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


@cache
def uses(file: SourceFile) -> tuple[Use, ...]:
    """Every use of an imported name, under any alias."""
    return tuple(_uses(file.tree))


def _uses(tree: ast.Module) -> Iterator[Use]:
    imported = imported_names(tree)
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            head, _, rest = dotted(node).partition(".")
            if head in imported:
                name = ".".join(filter(None, [imported[head], rest]))
                yield Use(name, node.lineno, calls.get(id(node)))


def dotted(node: ast.expr) -> str:
    """`a.b.c` for a chain of attributes on a name, empty for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            before = dotted(value)
            return f"{before}.{attribute}" if before else ""
        case _:
            return ""


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
