"""What the last release left in this checkout, so that it is known without the history.

A clone may have no tags and no older commits (`git clone --depth 1`), so the folder `last`
holds the version, its commit, and the tables of each service as SQL for SQLite. The contracts of
the release are `protos/released.binpb`.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from scripts.tools.paths import ROOT

FOLDER = "scripts/releases/last"
RELEASE = "release.json"


@dataclass(frozen=True, slots=True)
class Release:
    """A release: its version, and the commit whose code it is."""

    version: str
    commit: str


def last_release(root: Path = ROOT) -> Release:
    """The last release of the checkout in `root`."""
    return Release(**json.loads((root / FOLDER / RELEASE).read_text()))


def tables_file(service: str, root: Path = ROOT) -> Path:
    """The file with the tables that a service of the last release has."""
    return root / FOLDER / f"{service}.sql"
