"""Prints the equations of the books for a person."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from scripts.replay.books.equation import Equation


def show_books(console: Console, books: Sequence[Equation]) -> None:
    """Print the equations, and the ids that are wrong."""
    table = Table("", "equation", "left", "right", title="the books")
    table.columns[2].justify = table.columns[3].justify = "right"
    for line in books:
        mark = "[green]=[/green]" if line.ok else "[red]≠[/red]"
        table.add_row(mark, line.name, line.text(line.left), line.text(line.right))
    console.print(table)
    for line in books:
        if line.ids:
            ids = " ".join(line.ids)
            console.print(f"[red]{line.name}: {ids}[/red]", highlight=False, soft_wrap=True)
