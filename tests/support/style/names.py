"""Finds names that are easy to confuse: equal ones, and ones that differ only by an ending."""

import ast
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

from tests.support.style.source_tree import SourceFile

ENDINGS = ("s", "es", "ing", "ed", "er", "ers", "e")
# Names that each folder or service may have: they say a role, and mean the same everywhere. What
# `domain` names, `wire` converts under the same name.
ROLES = frozenset(
    {
        "__init__",
        "__main__",
        "errors",
        "events",
        "queries",
        "rules",
        "service",
        "servicer",
        "settings",
    }
)
TWIN_FOLDERS = ("discovery/aio/", "discovery/blocking/")


@dataclass(frozen=True, slots=True, order=True)
class Named:
    """A module or class: its name, and the file that has it."""

    name: str
    path: str


def modules(files: Iterable[SourceFile]) -> Iterator[Named]:
    """Every module by its name; migrations, which begin with a number, are not imported by name."""
    for file in files:
        name = file.path.rpartition("/")[2].removesuffix(".py")
        if not name[0].isdigit():
            yield Named(name, file.path)


def classes(files: Iterable[SourceFile]) -> Iterator[Named]:
    """Every public class at the top of a module."""
    for file in files:
        for node in file.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield Named(node.name, file.path)


def confusable(named: Iterable[Named], *, roles: Collection[str] = ROLES) -> Iterator[str]:
    """Pairs that share a name or differ only by an ending, except for names of roles.

    A name of `discovery/aio` may be the same in `discovery/blocking`: the two drivers are twins.
    """
    for one, other in combinations(sorted(named), 2):
        if one.name in roles and other.name in roles:
            continue
        if one.name == other.name and _are_driver_twins(one.path, other.path):
            continue
        if bases(one.name) & bases(other.name):
            yield f"{one.name} of {one.path}, {other.name} of {other.path}"


def bases(name: str) -> frozenset[str]:
    """The name in lower case, whole and without each ending: `retries`, `retrie`, `retry`."""
    lower = name.lower()
    found = {lower}
    for ending in ENDINGS:
        if lower.endswith(ending):
            found.add(lower.removesuffix(ending))
    if lower.endswith("ies"):
        found.add(f"{lower[:-3]}y")
    return frozenset(found)


def _are_driver_twins(one: str, other: str) -> bool:
    aio, blocking = TWIN_FOLDERS
    return one.startswith(aio) and other.startswith(blocking)
