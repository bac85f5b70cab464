"""The difference between the rows that the database has and those that it shall have."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from services.chassis.store.unit.needs import Entry, Key
from services.chassis.store.unit.sql import Row


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows of one table to delete, to insert and to change, in this order."""

    deleted: list[Row] = field(default_factory=list)
    inserted: list[Row] = field(default_factory=list)
    changed: list[Row] = field(default_factory=list)


class Unread(tuple[Row, ...]):
    """Stands for what is stored of a key that was not read: maybe nothing, maybe these rows."""

    __slots__ = ()


def difference_of(
    stored: Mapping[Key, Entry],
    current: Mapping[Key, Entry],
    renewed: Collection[Key],
    *,
    id_of: Callable[[Row], object],
    changing_of: Callable[[Row], object],
) -> Difference:
    """Compare two states of the keys in `stored`.

    Rows of a `renewed` key are deleted and inserted again, because a column that never changes may
    have another value in the new row.
    """
    result = Difference()
    for key, before in stored.items():
        after = current[key]
        if key in renewed:
            result.deleted.extend(before)
            result.inserted.extend(after)
        elif isinstance(before, Unread):
            result.changed.extend(after)
            result.deleted.extend(() if after else before)
        elif len(after) == len(before) == 1 and id_of(after[0]) == id_of(before[0]):
            if changing_of(after[0]) != changing_of(before[0]):
                result.changed.extend(after)
        elif after != before:
            known = {id_of(row): row for row in before}
            for row in after:
                old = known.pop(id_of(row), None)
                if old is None:
                    result.inserted.append(row)
                elif changing_of(old) != changing_of(row):
                    result.changed.append(row)
            result.deleted.extend(known.values())
    return result
