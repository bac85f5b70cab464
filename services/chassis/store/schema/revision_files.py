"""Reads what Alembic's revision files say of themselves, without Alembic.

Alembic takes 10 MB that stay until the process ends, and most starts find migrated tables.

Besides Alembic's own lines a revision may have `compatible_from = "order_0003"`: instances whose
newest revision is order_0003, or a later one, can use the tables after it. Without that line they
need the revision itself.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_NOT_REVISIONS = ("__init__", ".#")
_REVISION = re.compile(r'^revision = "(\w+)"$', re.MULTILINE)
_DOWN_REVISION = re.compile(r'^down_revision = (?:"(\w+)"|None)$', re.MULTILINE)
_DECLARATION = re.compile(r"^compatible_from\b", re.MULTILINE)
_COMPATIBLE_FROM = re.compile(r'^compatible_from = "(\w+)"$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RevisionFiles:
    """The revisions of some folders.

    `followed` has every revision, with the one that it follows, which is "" for the first one of a
    branch. `declared` has what revisions say in `compatible_from`.
    """

    followed: Mapping[str, str]
    declared: Mapping[str, str]

    @property
    def newest(self) -> frozenset[str]:
        """The revisions that no other one follows: one of each branch."""
        return frozenset(self.followed.keys() - self.followed.values())

    def compatible_from(self, revision: str) -> str:
        """The oldest revision whose code can use the tables after `revision`.

        Each revision up to there must allow it, so it is the newest one that any of them needs.
        Raises ValueError if one of them declares a revision of another branch.
        """
        chain = list(self.history(revision))
        return chain[min(chain.index(self.declared.get(each, each)) for each in chain)]

    def history(self, revision: str) -> Iterator[str]:
        """`revision` and those before it in its branch, the newest first."""
        while revision:
            yield revision
            revision = self.followed[revision]


def read_revisions(folders: Iterable[Path]) -> RevisionFiles | None:
    """Read the files that Alembic takes for revisions; None if one is written in another way."""
    followed: dict[str, str] = {}
    declared: dict[str, str] = {}
    for file in _files(folders):
        source = file.read_text(encoding="utf-8")
        own, before = _REVISION.findall(source), _DOWN_REVISION.findall(source)
        oldest = _COMPATIBLE_FROM.findall(source)
        if len(own) != 1 or len(before) != 1 or len(oldest) != len(_DECLARATION.findall(source)):
            return None
        followed[own[0]] = before[0]
        declared.update(zip(own, oldest, strict=False))
    return RevisionFiles(followed, declared)


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from (
            file for file in folder.glob("*.py") if not file.name.startswith(_NOT_REVISIONS)
        )
