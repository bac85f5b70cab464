"""The equations of the books, each with how it is doing, and how far its sources were read."""

from collections.abc import Sequence
from datetime import datetime

from services.console.books.balance import Balance
from services.console.books.books import Books
from services.console.books.books_reader import Progress
from services.console.views.table import Cell, Row, Table, number
from services.console.wire.texts import duration_text

_EQUATIONS = ("Equation", "Left", "Right", "Differ now", "State", "Such as")
_SOURCES = ("Source", "Read", "Complete", "Trouble")


def is_complete(progress: Sequence[Progress]) -> bool:
    """Whether every source was read to its end at least once: before, nothing can be judged."""
    return all(each.complete_time is not None for each in progress)


def equations_table(books: Books, progress: Sequence[Progress], now: datetime) -> Table:
    """One row for each equation."""
    is_judged = is_complete(progress)
    rows = [_equation(each, now, is_judged=is_judged) for each in books.balances]
    wrong = sorted(sku for sku, is_good in books.levels.items() if not is_good)
    rows.append(
        Row(
            (
                Cell("stock levels = sum of movements, none oversold"),
                Cell(f"items compared: {len(books.levels):,}", is_number=True),
                Cell(""),
                number(len(wrong)),
                _state(len(wrong), len(wrong), is_judged=is_judged),
                Cell(", ".join(wrong[:5])),
            )
        )
    )
    return Table("Equations", _EQUATIONS, tuple(rows))


def sources_table(progress: Sequence[Progress], now: datetime) -> Table:
    """How far each source was read, and how old that is."""
    return Table("Sources", _SOURCES, tuple(_source(each, now) for each in progress))


def trouble_of(books: Books, progress: Sequence[Progress], now: datetime) -> int:
    """How many equations don't hold; 0 while they can't be judged."""
    if not is_complete(progress):
        return 0
    late = sum(not each.state(now).holds for each in books.balances)
    return late + (not all(books.levels.values()))


def _equation(balance: Balance, now: datetime, *, is_judged: bool) -> Row:
    state = balance.state(now)
    left, right = (
        Cell(f"{name}: {_side(balance, side)}", is_number=True)
        for name, side in ((balance.left_name, balance.left), (balance.right_name, balance.right))
    )
    judged = _state(state.differing, state.late, is_judged=is_judged)
    examples = Cell(", ".join(state.examples))
    return Row((Cell(balance.name), left, right, number(state.differing), judged, examples))


def _side(balance: Balance, value: int) -> str:
    return f"{value:,} minor units" if balance.is_money else f"{value:,}"


def _state(differing: int, late: int, *, is_judged: bool) -> Cell:
    if not is_judged:
        return Cell("being read", tone="dim")
    if late:
        return Cell(f"broken for {late:,}", tone="bad")
    return Cell("under way", tone="warn") if differing else Cell("holds", tone="good")


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
