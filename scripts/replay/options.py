"""The options of a replay, and their text on the command line. Standard library only."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from scripts.replay.faults.fault_plan import Fault
from scripts.tools.paths import ROOT, from_caller

PROGRAM = "./scripts/run"
RUN_FOLDER = ROOT / ".run"
PORT_MAX = 65_535
NO_LIMIT = float("inf")
# What `--roll-from` without a value asks for.
LAST_RELEASE = "the last release"
FLAGS = {
    "--kill": "kill instances, kill -9",
    "--kill-consul": "restart Consul; it loses all registrations (none with --secure)",
    "--drain": "drain and replace every instance",
    "--rewind": "rewind all consumers to the start of their feeds",
    "--postgres": "use a PostgreSQL server, not SQLite files",
    "--containers": "run the instances in containers, of the image that is built of this checkout",
    "--through-edge": "place every fourth order by REST at the edge, which --kill kills too",
    "--stay": "go on serving until Ctrl-C",
}
# Where the certificates of a secure suite come from.
SECURE = ("consul", "files")
FAULTS = {
    Fault.KILL: "kill",
    Fault.CONSUL: "kill_consul",
    Fault.DRAIN: "drain",
    Fault.REWIND: "rewind",
}


class CoordinationChoice(StrEnum):
    """How checkouts are coordinated: the setting of the order service in this suite."""

    ORCHESTRATION = "orchestration"
    CHOREOGRAPHY = "choreography"


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line. Without `first_port`, free ports are taken.

    `roll_from` is what a person calls a commit, or LAST_RELEASE.
    """

    baskets: int
    concurrency: int
    seed: int
    instances: int
    faults: frozenset[Fault]
    through_edge: bool
    postgres: bool
    containers: bool
    secure: str | None
    stay: bool
    edge: bool
    json: Path | None
    folder: Path
    coordination: CoordinationChoice
    first_port: int | None
    roll_from: str | None
    retention: float | None


def parse(arguments: Sequence[str]) -> Options:
    """The options. Exits after `--help`, and with a message when an argument is wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.through_edge and given.edge == "off":
        parser.error("--through-edge needs the edge, so it can't be off")
    if given.roll_from is not None and _faults(given):
        parser.error("--roll-from replaces all instances twice, which is enough for one run")
    if given.containers and (given.postgres or given.secure):
        parser.error("--containers goes with SQLite and the open mode only")
    if given.containers and given.roll_from is not None:
        parser.error("--roll-from runs checkouts, so it doesn't go with --containers")
    if given.retention is not None and (_faults(given) or given.containers):
        parser.error("--retention archives what the readers of faults read, and no containers")
    return Options(
        baskets=given.baskets,
        concurrency=given.concurrency,
        seed=given.seed,
        instances=given.instances,
        faults=_faults(given),
        through_edge=given.through_edge,
        postgres=given.postgres,
        containers=given.containers,
        secure=given.secure,
        stay=given.stay,
        edge=given.edge == "on",
        json=given.json,
        folder=given.folder,
        coordination=CoordinationChoice(given.coordination),
        first_port=given.first_port,
        roll_from=given.roll_from,
        retention=given.retention,
    )


def _faults(given: argparse.Namespace) -> frozenset[Fault]:
    faults = {fault for fault, flag in FAULTS.items() if getattr(given, flag)}
    if given.through_edge and Fault.KILL in faults:
        faults.add(Fault.EDGE)
    return frozenset(faults)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Replay real grocery baskets through CreateOrder and check the books.",
        epilog="The first run installs everything into .venv/ and .tools/ and says how much it is.",
        allow_abbrev=False,
    )
    _add_numbers(parser)
    _add_revision_and_retention(parser)
    for name, explanation in FLAGS.items():
        parser.add_argument(name, action="store_true", help=explanation)
    parser.add_argument(
        "--secure",
        nargs="?",
        choices=SECURE,
        const=SECURE[0],
        help="mutual TLS with certificates from Consul or from files, Consul ACLs, and tokens for"
        " people; `./scripts/run token --help` makes more tokens (default: %(const)s)",
    )
    parser.add_argument(
        "--edge",
        choices=("on", "off"),
        default="on",
        help="with --stay, serve the public methods, the shop and the console at an Envoy"
        " (default: %(default)s)",
    )
    parser.add_argument(
        "--coordination",
        choices=[choice.value for choice in CoordinationChoice],
        default=CoordinationChoice.ORCHESTRATION.value,
        help="how the steps of a checkout are coordinated (default: %(default)s)",
    )
    parser.add_argument(
        "--json", type=_new_file, metavar="FILE", help="also write the figures to FILE"
    )
    parser.add_argument(
        "--folder",
        type=from_caller,
        default=RUN_FOLDER,
        help="keeps logs and databases (default: %(default)s)",
    )
    return parser


def _add_revision_and_retention(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--roll-from",
        nargs="?",
        const=LAST_RELEASE,
        metavar="REV",
        help="start the services of another commit, branch or tag, replace every instance by this"
        " checkout's, check the books, and go back; without REV, of %(const)s",
    )
    parser.add_argument(
        "--retention",
        type=_days,
        metavar="DAYS",
        help="archive what ended so long ago; a minute is 0.0007 (default: everything stays)",
    )


def _days(text: str) -> float:
    """A number of days above 0."""
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not 0 < days < NO_LIMIT:
        raise argparse.ArgumentTypeError(f"must be a number of days above 0, not {text}")
    return days


def _add_numbers(parser: argparse.ArgumentParser) -> None:
    for name, default, lowest, explanation in (
        ("--baskets", 500, 0, "how many baskets to replay"),
        ("--concurrency", 64, 1, "how many orders at once"),
        ("--instances", 2, 2, "instances of each service"),
    ):
        parser.add_argument(
            name,
            type=_number(lowest),
            default=default,
            metavar="N",
            help=f"{explanation} (default: %(default)s)",
        )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="chooses baskets, payment methods, cancels (default: %(default)s)",
    )
    parser.add_argument(
        "--first-port",
        type=_number(1, PORT_MAX),
        metavar="PORT",
        help="Consul's port; the instances get the next ones, in the order of the services that is"
        " printed, then the edge, the login, the shop and the console (default: free ports)",
    )


def _new_file(text: str) -> Path:
    """A file that can be written; it is checked now, since the run would fail at its very end."""
    file = from_caller(text)
    if file.is_dir() or not file.parent.is_dir():
        raise argparse.ArgumentTypeError(f"must be a file in a folder that exists, not {text}")
    return file


def _number(lowest: int, highest: float = NO_LIMIT) -> Callable[[str], int]:
    """A parser of whole numbers from `lowest` to `highest`."""

    def number(text: str) -> int:
        value = int(text)
        if not lowest <= value <= highest:
            allowed = f"at least {lowest}" if highest == NO_LIMIT else f"{lowest} to {highest}"
            raise argparse.ArgumentTypeError(f"must be {allowed}, not {value}")
        return value

    return number
