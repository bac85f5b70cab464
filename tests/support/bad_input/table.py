"""One table for each method: a good request, and what can be wrong with each of its fields."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import grpc

from tests.support.bad_input.kinds import Kind

Code = grpc.StatusCode


@dataclass(frozen=True, slots=True)
class Refused:
    """Changes to a good request that leave it well formed, and how it is answered."""

    changes: Mapping[str, Any]
    code: grpc.StatusCode
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """A bad request, and every path the answer must name."""

    request: Mapping[str, Any]
    named: frozenset[str]


@dataclass(frozen=True, slots=True)
class Table:
    """What is wrong where; `kinds` has every field of the request.

    `not_served` is a method of the contract that this version answers with UNIMPLEMENTED,
    whatever it is asked. `alternatives` are fields of which a request has one only.
    """

    good: Mapping[str, Any]
    kinds: Mapping[str, Kind]
    refused: tuple[Refused, ...] = ()
    alternatives: frozenset[str] = frozenset()
    not_served: bool = False

    def rows(self) -> Iterator[Row]:
        """One bad field at a time, then one bad value of every field at once."""
        for field, kind in self.kinds.items():
            for bad in kind:
                named = frozenset(field + path for path in bad.paths)
                yield Row(self._changed({field: bad.value}), named)
        yield from self._all_at_once()

    def _all_at_once(self) -> Iterator[Row]:
        kinds = {field: kind for field, kind in self.kinds.items() if kind}
        for field in sorted(self.alternatives)[1:]:
            kinds.pop(field, None)
        for number in range(max(map(len, kinds.values()), default=0)):
            chosen = {field: kind[number % len(kind)] for field, kind in kinds.items()}
            named = frozenset(field + path for field, bad in chosen.items() for path in bad.paths)
            yield Row(self._changed({field: bad.value for field, bad in chosen.items()}), named)

    def _changed(self, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        kept = {} if self.alternatives.isdisjoint(changes) else dict.fromkeys(self.alternatives)
        request = {**self.good, **kept, **changes}
        return {field: value for field, value in request.items() if value is not None}


def not_served(**kinds: Kind) -> Table:
    """Nothing is good or bad about a method that is not served."""
    return Table({}, kinds, not_served=True)
