"""The equations of the books, each with how it is doing, and how far its sources were read."""

from collections.abc import Sequence
from datetime import datetime

from services.console.books.balance import Balance, BalanceState, Finding
from services.console.books.books import DEAD_LETTERS, LEVELS, MAILS, Books
from services.console.books.books_reader import Progress
from services.console.views.table import Cell, Row, Table, number
from services.console.wire.texts import duration_text

_EQUATIONS = ("Equation", "Left", "Right", "Differ now", "State", "Such as")
# Sources that are read for one finding each, and that no equation needs.
_OF_FINDINGS = (LEVELS, MAILS, DEAD_LETTERS)
_SOURCES = ("Source", "Read", "Complete", "Trouble")


def is_complete(progress: Sequence[Progress]) -> bool:
    """Whether all that equations compare was read to its end at least once.

    Before, no equation can be judged.
    """
    return all(
        each.complete_time is not None
        for each in progress
        if not each.source.startswith(_OF_FINDINGS)
    )


def equations_table(books: Books, progress: Sequence[Progress], now: datetime) -> Table:
    """One row for each equation."""
    is_judged = is_complete(progress)
    balances = (_equation(each, now, is_judged=is_judged) for each in books.balances)
    findings = (_finding(each, is_judged=_is_read(each, progress)) for each in books.findings())
    return Table("Equations", _EQUATIONS, (*balances, *findings))


def sources_table(progress: Sequence[Progress], now: datetime) -> Table:
    """How far each source was read, and how old that is."""
    return Table("Sources", _SOURCES, tuple(_source(each, now) for each in progress))


def trouble_of(books: Books, progress: Sequence[Progress], now: datetime) -> int | None:
    """How many equations don't hold; None while some can't be judged and all others hold."""
    are_judged = is_complete(progress)
    findings = books.findings()
    read = [each for each in findings if _is_read(each, progress)]
    trouble = sum(not each.state.holds for each in read)
    if are_judged:
        trouble += sum(not each.state(now).holds for each in books.balances)
    return trouble if trouble or (are_judged and len(read) == len(findings)) else None


def _is_read(finding: Finding, progress: Sequence[Progress]) -> bool:
    """Whether the sources of a finding were read to their end at least once."""
    of_it = (each for each in progress if each.source.startswith(finding.source))
    return all(each.complete_time is not None for each in of_it)


def _equation(balance: Balance, now: datetime, *, is_judged: bool) -> Row:
    left, right = (
        f"{name}: {_side(balance, side)}"
        for name, side in ((balance.left_name, balance.left), (balance.right_name, balance.right))
    )
    return _row(balance.name, left, right, balance.state(now), is_judged=is_judged)


def _finding(finding: Finding, *, is_judged: bool) -> Row:
    return _row(finding.name, finding.text, "", finding.state, is_judged=is_judged)


def _row(name: str, left: str, right: str, state: BalanceState, *, is_judged: bool) -> Row:
    return Row(
        (
            Cell(name),
            Cell(left, is_number=True),
            Cell(right, is_number=True),
            number(state.differing),
            _judged(state, is_judged=is_judged),
            Cell(", ".join(state.examples)),
        )
    )


def _side(balance: Balance, value: int) -> str:
    return f"{value:,} minor units" if balance.is_money else f"{value:,}"


def _judged(state: BalanceState, *, is_judged: bool) -> Cell:
    if not is_judged:
        return Cell("being read", tone="dim")
    if state.late:
        return Cell(f"broken for {state.late:,}", tone="bad")
    return Cell("under way", tone="warn") if state.differing else Cell("holds", tone="good")


def _source(progress: Progress, now: datetime) -> Row:
    age = Cell("not yet", tone="warn")
    if progress.complete_time is not None:
        age = Cell(f"{duration_text(now - progress.complete_time)} ago")
    return Row(
        (
            Cell(progress.source),
            Cell(progress.text, is_number=True),
            age,
            Cell(progress.fault, tone="bad" if progress.fault else ""),
        )
    )
