"""Revision files are read as Alembic reads them, and say which older versions may run beside."""

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from scripts.suite.cluster import SERVICES
from scripts.tools.paths import ROOT
from services.chassis.store.migrations import CHASSIS_VERSIONS
from services.chassis.store.schema.revision_files import RevisionFiles, read_revisions

OF_EACH_SERVICE = pytest.mark.parametrize("service", SERVICES)


def revisions(service: str) -> RevisionFiles:
    """Those of the chassis and of a service."""
    own = ROOT / "services" / service / "store" / "migrations"
    found = read_revisions([CHASSIS_VERSIONS, own])
    assert found is not None
    return found


def history(**compatible_from: int) -> RevisionFiles:
    """Five revisions `r1` to `r5`; `r4=2` says that r4 allows versions from r2 on."""
    return RevisionFiles(
        followed={f"r{number}": f"r{number - 1}" if number > 1 else "" for number in range(1, 6)},
        declared={name: f"r{oldest}" for name, oldest in compatible_from.items()},
    )


@OF_EACH_SERVICE
def test_the_newest_revisions_are_those_that_alembic_finds(service: str) -> None:
    """Whether there is something to run is found out without Alembic, with the same answer."""
    own = ROOT / "services" / service / "store" / "migrations"
    alembic = {
        head
        for folder in (CHASSIS_VERSIONS, own)
        for head in ScriptDirectory(str(folder), version_locations=[str(folder)]).get_heads()
    }

    assert revisions(service).newest == alembic


@OF_EACH_SERVICE
def test_a_revision_allows_versions_of_its_own_history(service: str) -> None:
    """What a revision of ours declares is an earlier revision of its branch."""
    found = revisions(service)

    for revision, oldest in found.declared.items():
        assert oldest in list(found.history(revision))[1:]


@pytest.mark.parametrize(
    ("compatible_from", "oldest"),
    [
        ({}, "r5"),
        ({"r5": 4}, "r4"),
        ({"r5": 2}, "r4"),
        ({"r5": 2, "r4": 2}, "r3"),
        ({"r5": 3, "r4": 2}, "r3"),
        ({"r5": 4, "r4": 2, "r3": 1}, "r4"),
        ({"r2": 1, "r3": 1, "r4": 1, "r5": 1}, "r1"),
    ],
)
def test_the_strictest_revision_decides(compatible_from: dict[str, int], oldest: str) -> None:
    """A version can use tables if every revision that it doesn't know allows it.

    A revision that says nothing needs itself. One that takes away what an earlier one made unused
    says so, and counts from then on.
    """
    assert history(**compatible_from).compatible_from("r5") == oldest


def test_a_revision_that_is_written_in_another_way_is_left_to_alembic(tmp_path: Path) -> None:
    """If one file cannot be read, nothing is concluded from the others."""
    (tmp_path / "0001_shelf.py").write_text('revision = "shop_0001"\ndown_revision = None\n')
    assert read_revisions([tmp_path]) == RevisionFiles({"shop_0001": ""}, {})

    typed = tmp_path / "0002_basket.py"
    typed.write_text("revision: str = 'shop_0002'\ndown_revision: str = 'shop_0001'\n")
    assert read_revisions([tmp_path]) is None

    typed.write_text(
        'revision = "shop_0002"\ndown_revision = "shop_0001"\ncompatible_from = None\n'
    )
    assert read_revisions([tmp_path]) is None
