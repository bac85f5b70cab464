"""What a service says of the aggregates that its retention archives and removes."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Column, Connection, bindparam, delete, select

from services.chassis.retention.archive_line import ArchivedRow


@dataclass(frozen=True, slots=True)
class DueAggregate:
    """An aggregate that has ended, at the version and position of its newest event.

    `request_ids_of` are the resources whose remembered requests go with it: mostly itself. `parent`
    is what it was made for in another service, if that decides when it goes.
    """

    subject: str
    version: int
    position: int
    request_ids_of: tuple[str, ...]
    parent: str = ""


@dataclass(frozen=True, slots=True)
class DueQuery:
    """Asks for at most `limit` aggregates after a key that ended before an instant.

    Their events are at positions up to `up_to_position`. `after` is the key of the previous page;
    None for the first one.
    """

    before: datetime
    up_to_position: int
    limit: int
    after: tuple[Any, ...] | None = None

    def going_on(self, page: "DuePage") -> "DueQuery":
        """The query for what follows a page."""
        return replace(self, after=page.next_after)


@dataclass(frozen=True, slots=True)
class DuePage:
    """Aggregates that are due; `next_after` is the key to go on after, None at the end."""

    due: Sequence[DueAggregate]
    next_after: tuple[Any, ...] | None


class FindGone(Protocol):
    """Asks another service which of these ids it doesn't have any more."""

    async def __call__(self, ids: Sequence[str]) -> Collection[str]: ...


class FindDue(Protocol):
    """Finds aggregates that are due, in the caller's read."""

    def __call__(self, connection: Connection, query: DueQuery) -> DuePage: ...


@dataclass(frozen=True, slots=True)
class OwnedRows:
    """Rows of a table that belong to an aggregate, by the column that names it.

    Where the column names resources of its requests instead, `by_resource` is set.
    """

    column: Column[str]
    by_resource: bool = False

    @property
    def table(self) -> str:
        """The name of the table."""
        return str(self.column.table.name)

    def keys(self, due: Iterable[DueAggregate]) -> list[str]:
        """The values of the column that belong to these aggregates."""
        if self.by_resource:
            return [resource for each in due for resource in each.request_ids_of]
        return [each.subject for each in due]

    def read(
        self, connection: Connection, due: Sequence[DueAggregate]
    ) -> Mapping[str, Sequence[ArchivedRow]]:
        """The rows of the aggregates, by the value of the column."""
        found: dict[str, list[ArchivedRow]] = {}
        statement = (
            select(self.column.table)
            .where(self.column.in_(bindparam("keys", expanding=True)))
            .order_by(*self.column.table.primary_key)
        )
        for row in connection.execute(statement, {"keys": self.keys(due)}).mappings():
            found.setdefault(row[self.column], []).append(dict(row))
        return found

    def remove(self, connection: Connection, due: Sequence[DueAggregate]) -> None:
        """Delete the rows of the aggregates."""
        statement = delete(self.column.table).where(
            self.column.in_(bindparam("keys", expanding=True))
        )
        connection.execute(statement, {"keys": self.keys(due)})


@dataclass(frozen=True, slots=True)
class Archivable:
    """The aggregates of one service that end: how they are found, and which rows they own.

    Events, the lease and remembered requests are those of the chassis; `owned` are the service's
    own, children before parents. Nothing is removed while `is_paused`, which is asked in the
    transaction that removes. `carry` is called there, too: it adds sums that must stay to what
    stays. With `find_gone` only aggregates go whose parent is gone.
    """

    service: str
    find_due: FindDue
    owned: tuple[OwnedRows, ...]
    is_paused: Callable[[Connection], bool] = lambda _: False
    carry: Callable[[Connection, Sequence[DueAggregate]], None] = lambda *_: None
    find_gone: FindGone | None = None
