"""`./scripts/run`: the command line of a replay."""

import sys
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from discovery.clock import SystemClock
from scripts.replay import session
from scripts.replay.fault_plan import Fault
from scripts.replay.session import CoordinationChoice, Options
from scripts.suite.cluster import StartError
from scripts.tools.paths import ROOT

RUN_FOLDER = ROOT / ".run"
EXIT_UNBALANCED = 1
EXIT_NOT_STARTED = 2
EXIT_INTERRUPTED = 130

console = Console()


def main(
    baskets: Annotated[int, typer.Option(min=0, help="How many baskets to replay.")] = 500,
    concurrency: Annotated[int, typer.Option(min=1, help="How many orders at once.")] = 64,
    seed: Annotated[int, typer.Option(help="Chooses baskets, payment methods, cancels.")] = 1,
    instances: Annotated[int, typer.Option(min=2, help="Instances of each service.")] = 2,
    kill: Annotated[bool, typer.Option("--kill", help="Kill instances, kill -9.")] = False,
    kill_consul: Annotated[
        bool, typer.Option("--kill-consul", help="Restart Consul; it loses all registrations.")
    ] = False,
    drain: Annotated[
        bool, typer.Option("--drain", help="Drain and replace every instance.")
    ] = False,
    rewind: Annotated[
        bool, typer.Option("--rewind", help="Rewind all consumers to the start of their feeds.")
    ] = False,
    coordination: Annotated[
        CoordinationChoice, typer.Option(help="How the steps of a checkout are coordinated.")
    ] = CoordinationChoice.ORCHESTRATION,
    postgres: Annotated[
        bool, typer.Option("--postgres", help="Use a PostgreSQL server, not SQLite files.")
    ] = False,
    stay: Annotated[bool, typer.Option("--stay", help="Go on serving until Ctrl-C.")] = False,
    json: Annotated[Path | None, typer.Option(help="Also write the figures to FILE.")] = None,
    folder: Annotated[Path, typer.Option(help="Keeps logs and databases.")] = RUN_FOLDER,
) -> None:
    """Replay real grocery baskets through CreateOrder and check the books."""
    asked = {
        Fault.KILL: kill,
        Fault.CONSUL: kill_consul,
        Fault.DRAIN: drain,
        Fault.REWIND: rewind,
    }
    options = Options(
        baskets=baskets,
        concurrency=concurrency,
        seed=seed,
        instances=instances,
        faults=frozenset(fault for fault, is_asked in asked.items() if is_asked),
        postgres=postgres,
        stay=stay,
        json=json,
        folder=folder,
        coordination=coordination,
    )
    sys.exit(_status(options))


def _status(options: Options) -> int:
    """Run the replay; the program's exit status."""
    try:
        report = uvloop.run(session.run(options, console=console, clock=SystemClock()))
    except StartError as error:
        console.print(f"[red]{error}[/red]")
        return EXIT_NOT_STARTED
    except KeyboardInterrupt:
        console.print("stopped")
        return EXIT_INTERRUPTED
    return 0 if report.balanced else EXIT_UNBALANCED


if __name__ == "__main__":
    typer.run(main)
