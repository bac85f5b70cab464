"""What a rollout ended in, as a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from scripts.replay.books.equation import Equation
from scripts.rollouts.rollout import Outcome

# What a version that is withdrawn has done to callers until then; `failed` says how often.
_SEEN_BY_CALLERS = ("failed calls of safe methods", "guarantees violated towards a caller")


@dataclass(frozen=True, slots=True)
class Row:
    """One rollout: the version's name, how it ended, and the books after it.

    `failed_calls` failed for their callers, in spite of retries.
    """

    version: str
    is_good: bool
    outcome: Outcome
    failed_calls: int
    books: Sequence[Equation]

    @property
    def unbalanced(self) -> Sequence[Equation]:
        """The equations of the books that don't hold, without those of what callers saw."""
        return [line for line in self.books if not line.ok and line.name not in _SEEN_BY_CALLERS]

    @property
    def is_right(self) -> bool:
        """Whether a good version was promoted without a failed call, or a bad one withdrawn."""
        withdrawn = self.outcome.reason is not None
        if self.is_good:
            return not withdrawn and not self.failed_calls and not self.unbalanced
        return withdrawn


def show(rows: Sequence[Row], console: Console) -> None:
    """Print the rollouts as a table."""
    table = Table(
        *("version", "verdict", "calls", "failed", "seconds", "for callers", "books"),
        title="rollouts",
    )
    for row in rows:
        outcome = row.outcome
        table.add_row(
            row.version,
            "promoted" if outcome.reason is None else f"withdrawn: {outcome.reason}",
            f"{outcome.calls:,}",
            f"{outcome.failed:,}",
            f"{outcome.seconds:.1f}",
            f"{row.failed_calls:,}",
            "; ".join(line.name for line in row.unbalanced) or "balance",
        )
    console.print(table)
