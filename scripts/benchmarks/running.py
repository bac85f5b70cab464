"""Runs a benchmark from the command line: its report, its errors and the exit status."""

import sys
from collections.abc import Collection, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import typer
from rich.console import Console

from scripts.benchmarks.floor.floor_cluster import FloorStartError
from scripts.benchmarks.shared.contender import OrderFailedError
from scripts.benchmarks.shared.peer_environment import PeerMissingError
from scripts.benchmarks.soak.soak_run import CallerEndedError
from scripts.releases.revision_checkout import RevisionError
from scripts.suite.processes import interruption
from scripts.suite.run_folder import StartError
from scripts.tools.commands import SetupError

EXIT_NOT_MEASURED = 2
EXIT_INTERRUPTED = 130

NOT_MEASURED = (
    StartError,
    FloorStartError,
    PeerMissingError,
    RevisionError,
    OrderFailedError,
    SetupError,
    CallerEndedError,
)

console = Console()


def chosen(row: list[str] | None, measurements: Collection[str]) -> Sequence[str]:
    """The chosen rows, or all. Raises BadParameter for one that there isn't."""
    names = row or list(measurements)
    unknown = [name for name in names if name not in measurements]
    if unknown:
        raise typer.BadParameter(f"no row {unknown[0]}; there are {', '.join(measurements)}")
    return names


class _Report(Protocol):
    def show(self, console: Console) -> None: ...

    def write(self, file: Path) -> None: ...


ReportT = TypeVar("ReportT", bound=_Report)


def report_of(running: Coroutine[object, object, ReportT], file: Path | None) -> ReportT:
    """Run the benchmark, print its report, and write it to the file."""
    with exit_if_not_measured():
        report = interruption.run(running)
    report.show(console)
    if file is not None:
        report.write(file)
    return report


@contextmanager
def exit_if_not_measured() -> Iterator[None]:
    """End the program with a message when the block raises an error of a benchmark."""
    try:
        yield
    except NOT_MEASURED as error:
        console.print(f"[red]{error}[/red]")
        sys.exit(EXIT_NOT_MEASURED)
    except KeyboardInterrupt:
        console.print("stopped")
        sys.exit(EXIT_INTERRUPTED)
