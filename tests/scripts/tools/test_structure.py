"""The plan of the folders, enforced by tests: size, docstrings, names, circles and contracts."""

import tomllib
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch

import pytest

from scripts.tools.paths import ROOT
from tests.support.style import names, structure
from tests.support.style.source_tree import SourceFile, source_files

Rule = Callable[[], Iterator[str]]

# The code that the plan is for, and the parts of it in which a name has one meaning.
CODE = ("discovery/", "services/", "scripts/")
SERVICE_FOLDERS = sorted((ROOT / "services").glob("*/__init__.py"))
PARTS = {
    "discovery": "discovery/",
    **{init.parent.name: f"services/{init.parent.name}/" for init in SERVICE_FOLDERS},
    "scripts": "scripts/",
}
ROOTS = [folder.rstrip("/").replace("/", ".") for folder in PARTS.values()]


def code(*folders: str) -> list[SourceFile]:
    """The files below these folders."""
    return [file for file in source_files() if file.path.startswith(folders)]


def crowded_folder() -> Iterator[str]:
    """A folder has 15 modules at most."""
    return structure.crowded_folder(code(*CODE))


def folder_docstring() -> Iterator[str]:
    """A folder says what lives there."""
    return structure.folder_docstring(code(*CODE))


def import_circle() -> Iterator[str]:
    """No module imports itself through others."""
    return structure.import_circle(code(*CODE))


def unnamed_folder() -> Iterator[str]:
    """Every folder is in an import-linter contract."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    return structure.unnamed_folder(code(*CODE), ROOTS, contracts)


def confusable_modules() -> Iterator[str]:
    """No two modules of a part have names that are easy to confuse."""
    for folder in PARTS.values():
        yield from names.confusable(names.modules(code(folder)))


def confusable_classes() -> Iterator[str]:
    """No two classes of discovery, of the chassis or of scripts have such names."""
    for folder in (PARTS["discovery"], PARTS["chassis"], PARTS["scripts"]):
        yield from names.confusable(names.classes(code(folder)))


# Rule -> {fault or pattern: why it may stay}.
EXCEPTIONS: dict[Rule, dict[str, str]] = {
    crowded_folder: {},
    folder_docstring: {
        "services/*/store/migrations:*": "Alembic runs these files by path, as no package",
        "services/chassis/store/migration_environment:*": "Alembic's own env.py, run by path",
    },
    import_circle: {},
    unnamed_folder: {},
    confusable_modules: {
        "breaker of *, breaker of discovery/rules/*": "each driver's layer applies the rule",
        "bulkhead of *, bulkhead of discovery/rules/*": "each driver's layer applies the rule",
    },
    confusable_classes: {},
}
RULES = pytest.mark.parametrize("rule", EXCEPTIONS, ids=lambda rule: rule.__name__)


@RULES
def test_the_plan_of_the_folders_is_kept(rule: Rule) -> None:
    """The code breaks no rule of the plan, except where an exception says why."""
    patterns = EXCEPTIONS[rule]
    faults = [fault for fault in rule() if not any(fnmatch(fault, pattern) for pattern in patterns)]

    assert not faults, "\n".join(faults)


@RULES
def test_every_exception_of_the_plan_is_needed(rule: Rule) -> None:
    """An exception that excuses nothing any more is removed."""
    faults = list(rule())
    unused = [
        pattern
        for pattern in EXCEPTIONS[rule]
        if not any(fnmatch(fault, pattern) for fault in faults)
    ]

    assert unused == []


def files(*paths: str, text: str = '"""A file."""') -> list[SourceFile]:
    """Files with the same text."""
    return [SourceFile.of(path, text) for path in paths]


def test_a_sixteenth_module_is_one_too_many() -> None:
    """A folder may have 15 modules and its `__init__`, and not one more."""
    fifteen = ["a/__init__.py", *(f"a/m{number}.py" for number in range(15))]

    assert not list(structure.crowded_folder(files(*fifteen)))
    assert list(structure.crowded_folder(files(*fifteen, "a/m15.py")))


def test_a_folder_without_a_docstring_is_found() -> None:
    """A folder needs an `__init__`, and the `__init__` a docstring."""
    assert not list(structure.folder_docstring(files("a/__init__.py", "a/b.py")))
    assert list(structure.folder_docstring(files("a/b.py")))
    assert list(structure.folder_docstring(files("a/__init__.py", "a/b.py", text="x = 1")))


@pytest.mark.parametrize(
    "text",
    ["from a.one import x", "import a.one", "from a import one", "if TYPE_CHECKING: import a.one"],
)
def test_every_kind_of_import_closes_a_circle(text: str) -> None:
    """A circle is found over any number of modules, by any form of import."""
    line = [
        SourceFile.of("a/one.py", "import a.two"),
        SourceFile.of("a/two.py", "from a.three import y"),
        SourceFile.of("a/three.py", ""),
    ]

    assert not list(structure.import_circle(line))
    assert list(structure.import_circle([*line[:2], SourceFile.of("a/three.py", text)]))


def test_circles_that_share_no_module_are_all_found() -> None:
    """One circle doesn't hide another."""
    both = [
        SourceFile.of("a/one.py", "import a.two"),
        SourceFile.of("a/two.py", "import a.one"),
        SourceFile.of("b/one.py", "import b.two"),
        SourceFile.of("b/two.py", "import b.one"),
    ]

    assert len(list(structure.import_circle(both))) == 2


@pytest.mark.parametrize(
    ("contract", "is_named"),
    [
        ({"type": "layers", "containers": ["a"], "layers": ["c | (b)"]}, True),
        ({"type": "layers", "containers": ["a"], "layers": ["c"]}, False),
        ({"type": "acyclic_siblings", "ancestors": ["a"]}, False),
    ],
)
def test_a_folder_below_the_root_is_named_as_a_layer(
    contract: dict[str, object],
    is_named: bool,  # noqa: FBT001 - one column of the table
) -> None:
    """A contract that forbids circles doesn't say which way imports go."""
    faults = list(structure.unnamed_folder(files("a/b/x.py"), ["a"], [contract]))

    assert (faults == []) is is_named


def test_a_deeper_folder_may_be_covered_by_its_parents_contract() -> None:
    """Below a named folder, it is enough that circles are forbidden."""
    layers = {"type": "layers", "containers": ["a"], "layers": ["b"]}
    acyclic = {"type": "acyclic_siblings", "ancestors": ["a.*"]}
    deep = files("a/b/x.py", "a/b/c/y.py")

    assert list(structure.unnamed_folder(deep, ["a"], [layers]))
    assert not list(structure.unnamed_folder(deep, ["a"], [layers, acyclic]))


def pairs(found: Iterable[names.Named]) -> list[str]:
    """The confusable pairs of some names."""
    return list(names.confusable(found))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("orders", "ordering"),
        ("retry", "retries"),
        ("hedges", "hedging"),
        ("attempt", "attempts"),
        ("follower", "followed"),
        ("Place", "place"),
    ],
)
def test_names_that_differ_only_by_an_ending_are_found(one: str, other: str) -> None:
    """A plural, a participle or a doer is no other name."""
    assert pairs([names.Named(one, "a/x.py"), names.Named(other, "a/y.py")])


@pytest.mark.parametrize(
    ("one", "other"),
    [("retry_policy", "retry_decision"), ("lease", "lease_table"), ("feed", "fleet")],
)
def test_different_names_stay_different(one: str, other: str) -> None:
    """A name may begin like another one."""
    assert not pairs([names.Named(one, "a/x.py"), names.Named(other, "a/y.py")])


def test_the_two_drivers_may_share_names() -> None:
    """`aio` and `blocking` are twins; the other folders of discovery are not."""
    aio = names.Named("stack", "discovery/aio/stack.py")
    blocking = names.Named("stack", "discovery/blocking/stack.py")

    assert not pairs([aio, blocking])
    assert pairs([aio, names.Named("stack", "discovery/rules/stack.py")])


def test_roles_may_be_shared() -> None:
    """Each service has its errors and settings under the same names."""
    assert not pairs([names.Named("errors", "a/errors.py"), names.Named("errors", "b/errors.py")])
    assert pairs([names.Named("errors", "a/errors.py"), names.Named("error", "b/error.py")])
