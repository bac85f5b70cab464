"""The plan of the folders as functions: each takes files and yields what breaks the plan.

`tests/scripts/tools/test_structure.py` runs them over the project, and holds the exceptions.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from graphlib import CycleError, TopologicalSorter
from typing import Any

from tests.support.style.source_tree import SourceFile

MAX_MODULES = 15


def crowded_folder(files: Iterable[SourceFile]) -> Iterator[str]:
    """A folder has 15 modules at most, besides its `__init__`."""
    for folder, modules in _by_folder(files).items():
        number = sum(not file.path.endswith("/__init__.py") for file in modules)
        if number > MAX_MODULES:
            yield f"{folder}: {number} modules, {MAX_MODULES} at most"


def folder_docstring(files: Iterable[SourceFile]) -> Iterator[str]:
    """A folder with modules has an `__init__` whose docstring says what lives there."""
    for folder, modules in _by_folder(files).items():
        inits = [file for file in modules if file.path.endswith("/__init__.py")]
        if not any(ast.get_docstring(file.tree) for file in inits):
            yield f"{folder}: no __init__.py with a docstring"


def import_circle(files: Iterable[SourceFile]) -> Iterator[str]:
    """No module imports itself through others, not even for type checking only."""
    graph = import_graph(files)
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle: Sequence[str] = error.args[1]
            yield f"circle: {' <- '.join(circle)}"
            # Cut it open, to find the next one.
            graph[circle[1]].discard(circle[0])
        else:
            return


def unnamed_folder(
    files: Iterable[SourceFile], roots: Iterable[str], contracts: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Every folder of a root is named in an import-linter contract.

    A folder directly below a root (`services.order` for one) is named as a layer. A deeper one may
    instead be covered by a contract that forbids circles among its siblings.
    """
    layers = set(_layers(contracts))
    acyclic = [
        name
        for contract in contracts
        if contract["type"] == "acyclic_siblings"
        for name in contract["ancestors"]
    ]
    folders = sorted(folder.replace("/", ".") for folder in _by_folder(files))
    for root in roots:
        for folder in folders:
            if not folder.startswith(f"{root}.") or folder in layers:
                continue
            parent = folder.rpartition(".")[0]
            if parent == root or not any(fnmatch(parent, pattern) for pattern in acyclic):
                yield f"{folder}: in no layers of an import-linter contract"


def import_graph(files: Iterable[SourceFile]) -> dict[str, set[str]]:
    """The modules that each module imports, by dotted name; only modules among the files."""
    modules = {_module(file.path): file for file in files}
    return {
        name: {
            imported
            for imported in _imports(file.tree, modules)
            if imported != name and not name.startswith(f"{imported}.")
        }
        for name, file in modules.items()
    }


def _imports(tree: ast.Module, modules: Mapping[str, SourceFile]) -> Iterator[str]:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            members = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in modules else node.module for name in members]
        yield from (name for name in names if name in modules)


def _layers(contracts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for contract in contracts:
        if contract["type"] == "layers":
            for container in contract.get("containers", ()):
                for line in contract["layers"]:
                    for layer in line.replace(":", "|").split("|"):
                        yield f"{container}.{layer.strip(' ()')}"


def _by_folder(files: Iterable[SourceFile]) -> dict[str, list[SourceFile]]:
    folders: dict[str, list[SourceFile]] = {}
    for file in files:
        folders.setdefault(file.path.rpartition("/")[0], []).append(file)
    return folders


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
