"""Packages that bring the same files: whose file is installed must not depend on chance."""

import sysconfig
from pathlib import Path

from scripts.tools.environment import COPIER, hash_of, shared_files


def test_no_package_has_modules_overwritten_by_another() -> None:
    """Each file that several packages bring is the one of the package whose own it is.

    Only the copier may bring modules of others, and then theirs are installed.
    """
    shared = shared_files(Path(sysconfig.get_path("purelib")))
    wrong = {
        str(path): owners
        for path, owners in shared.items()
        for own in [{name: value for name, value in owners.items() if name != COPIER}]
        if set(own.values()) != {hash_of(path)}
    }

    assert any(COPIER in owners for owners in shared.values())
    assert wrong == {}


def test_files_of_two_packages_are_found(tmp_path: Path) -> None:
    """A file in two RECORDs is found with both hashes; a program and what has no hash isn't."""
    module = tmp_path / "google" / "api.py"
    module.parent.mkdir()
    module.write_text("one")
    for name, value in (("one", hash_of(module)), ("two", "other")):
        info = tmp_path / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {name.title()}\nVersion: 1\n")
        (info / "RECORD").write_text(
            f"google/api.py,sha256={value},3\n../../bin/tool,sha256=x,1\ngoogle/api.pyc,,\n"
            f"{info.name}/METADATA,sha256=y,1\n"
        )

    assert shared_files(tmp_path) == {module: {"one": hash_of(module), "two": "other"}}
