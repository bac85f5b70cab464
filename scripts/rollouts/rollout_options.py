"""The options of `./scripts/rollout`. Standard library only."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.replay.options import RUN_FOLDER
from scripts.tools.paths import from_caller

PROGRAM = "./scripts/rollout"
VERSIONS = ("good", "failing", "slow", "paying-twice")
STEPS = (0.1, 0.25, 0.5)
LEAST_CALLS = 150
# More of them would keep a small machine so busy that all versions look slow.
READS_PER_S = 200
BASKETS = 3_000
SIMULATIONS = 1_000


@dataclass(frozen=True, slots=True)
class RolloutOptions:
    """The options of the command line.

    `versions` are rolled out one after the other, each beside the same old one: `old`, as a person
    calls a commit, or this checkout.
    """

    versions: Sequence[str]
    old: str | None
    steps: Sequence[float]
    least_calls: int
    instances: int
    baskets: int
    reads_per_s: float
    edge: bool
    blue_green: bool
    simulations: int
    seed: int
    folder: Path


def parse(arguments: Sequence[str]) -> RolloutOptions:
    """The options. Exits after `--help`, and with a message when an argument is wrong."""
    given = _parser().parse_args(arguments)
    return RolloutOptions(
        versions=given.versions or VERSIONS,
        old=given.old,
        steps=given.steps,
        least_calls=given.calls,
        instances=given.instances,
        baskets=given.baskets,
        reads_per_s=given.reads,
        edge=given.edge == "on",
        blue_green=given.blue_green,
        simulations=given.simulate,
        seed=given.seed,
        folder=given.folder,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Roll out versions of the order service beside the old one, under load: each"
        " is promoted, or withdrawn as soon as it is known to be worse.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "versions",
        nargs="*",
        type=_version,
        metavar="VERSION",
        help=f"{', '.join(VERSIONS)}: this checkout, and it with a fault (default: all four)",
    )
    parser.add_argument("--from", dest="old", metavar="REV", help="the old version is this commit")
    parser.add_argument(
        "--steps",
        type=_steps,
        default=STEPS,
        metavar="PERCENT,...",
        help="the canary's shares of the calls (default: 10,25,50)",
    )
    parser.add_argument(
        "--blue-green", action="store_true", help="switch all calls at once, and back"
    )
    parser.add_argument(
        "--simulate",
        nargs="?",
        type=int,
        const=SIMULATIONS,
        default=0,
        metavar="N",
        help="only simulate N verdicts on equally good versions, and on bad ones"
        " (default: %(const)s)",
    )
    _add_suite(parser)
    return parser


def _add_suite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--edge",
        choices=("on", "off"),
        default="on",
        help="whether half of the calls go through it (default: %(default)s)",
    )
    parser.add_argument(
        "--folder", type=from_caller, default=RUN_FOLDER, help="keeps logs and databases"
    )
    for name, default, explanation in (
        ("--calls", LEAST_CALLS, "calls of the canary that each step waits for"),
        ("--instances", 2, "old instances"),
        ("--reads", READS_PER_S, "reads in a second, and an order for each 30 of them"),
        ("--baskets", BASKETS, "baskets to place orders of"),
        ("--seed", 1, "chooses baskets, payment methods, cancels"),
    ):
        parser.add_argument(
            name, type=int, default=default, metavar="N", help=f"{explanation} ({default})"
        )


def _version(text: str) -> str:
    if text not in VERSIONS:
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(VERSIONS)}, not {text}")
    return text


def _steps(text: str) -> Sequence[float]:
    """Percents that grow, such as 10,25,50."""
    try:
        shares = [float(part) / 100 for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be percents like 10,25,50, not {text}") from None
    if not all(0 < low < high for low, high in zip(shares, [*shares[1:], 1.0], strict=True)):
        raise argparse.ArgumentTypeError(f"must grow, from above 0 to below 100, not {text}")
    return shares
