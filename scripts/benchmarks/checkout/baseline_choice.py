"""What a person may choose for `./scripts/bench checkout`: databases, and what to compare with."""

from dataclasses import dataclass
from enum import StrEnum

import typer


class DatabaseKind(StrEnum):
    """The database of the suite and of its baseline."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


class Against(StrEnum):
    """What the suite is compared with."""

    FLOOR = "floor"
    PEERS = "peers"
    STORED = "stored"
    OURS_AT = "ours-at"


CHOICES = "floor|peers|stored|ours-at=REV"
# Orders at once, unless a person chooses others.
CONCURRENCIES = {
    Against.FLOOR: (1, 8, 32, 64),
    Against.PEERS: (32,),
    Against.STORED: (32,),
    Against.OURS_AT: (1, 8, 32, 64),
}


@dataclass(frozen=True, slots=True)
class BaselineChoice:
    """A baseline; `revision` is what a person calls the commit of `ours-at`."""

    against: Against
    revision: str = ""

    @classmethod
    def parse(cls, text: str) -> "BaselineChoice":
        """`floor`, or `ours-at=HEAD~1`. Raises BadParameter."""
        name, equals, revision = text.partition("=")
        if name not in set(Against):
            raise typer.BadParameter(f"no baseline {name}; there are {CHOICES}")
        against = Against(name)
        if against is Against.OURS_AT and not revision:
            raise typer.BadParameter("ours-at needs a commit, branch or tag, as in ours-at=HEAD~1")
        if against is not Against.OURS_AT and equals:
            raise typer.BadParameter(f"{name} takes no value")
        return cls(against, revision)


# What a run is compared with unless a person chooses.
USUAL = tuple(map(BaselineChoice, (Against.FLOOR, Against.PEERS, Against.STORED)))
