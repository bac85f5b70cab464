"""`./scripts/run token`: signs a token of a running secure suite. Standard library at first."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.replay.options import PROGRAM, RUN_FOLDER
from scripts.tools.paths import from_caller

NAME = "token"
EXIT_NO_ISSUER = 2
MAX_SUBJECT = 64
MAX_VALID_S = 366.0 * 24 * 3_600


@dataclass(frozen=True, slots=True)
class TokenOptions:
    """Whose token is asked for, and the folder of the run whose issuer signs it."""

    subject: str
    roles: tuple[str, ...]
    valid_s: float
    folder: Path


def parse(arguments: Sequence[str]) -> TokenOptions:
    """The options. Exits after `--help`, and with a message when an argument is wrong."""
    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} {NAME}",
        description="Print a token for a person, signed by the issuer of a run with --secure.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--subject", type=_subject, required=True, help="who it is, such as a customer's id"
    )
    parser.add_argument(
        *("--role",),
        action="append",
        required=True,
        help="what they may do, such as CUSTOMER; give it once for each role",
    )
    parser.add_argument(
        *("--valid-s",),
        type=_seconds,
        default=3_600.0,
        metavar="SECONDS",
        help="for how long (default: %(default)g)",
    )
    parser.add_argument(
        *("--folder",),
        type=from_caller,
        default=RUN_FOLDER,
        help="of the run (default: %(default)s)",
    )
    given = parser.parse_args(arguments)
    return TokenOptions(given.subject, tuple(given.role), given.valid_s, given.folder)


def _subject(text: str) -> str:
    """A name that services take; they refuse a token with another one."""
    if not (0 < len(text) <= MAX_SUBJECT and all("!" <= character <= "~" for character in text)):
        raise argparse.ArgumentTypeError(f"must be 1 to {MAX_SUBJECT} visible ASCII characters")
    return text


def _seconds(text: str) -> float:
    """A time that is neither negative nor endless; 0 makes a token that has expired."""
    value = float(text)
    if not 0 <= value <= MAX_VALID_S:
        raise argparse.ArgumentTypeError(f"must be 0 to {MAX_VALID_S:g}, not {text}")
    return value


def run(options: TokenOptions) -> int:
    """Print the token; the program's exit status."""
    # Not at the top: these modules import installed packages.
    from discovery.clock import SystemClock  # noqa: PLC0415
    from scripts.suite.issuer import Issuer  # noqa: PLC0415
    from scripts.suite.secure import credentials  # noqa: PLC0415

    if unknown := set(options.roles) - set(credentials.roles()):
        known = ", ".join(credentials.roles())
        print(f"no such role: {', '.join(sorted(unknown))}; there are {known}", file=sys.stderr)
        return EXIT_NO_ISSUER
    keys = options.folder / credentials.FOLDER / credentials.ISSUER_KEYS
    try:
        issuer = Issuer.load(keys, clock=SystemClock())
    except OSError as error:
        print(
            f"{keys} can't be read ({error.strerror}): start {PROGRAM} --secure --stay first, or"
            " name its --folder",
            file=sys.stderr,
        )
        return EXIT_NO_ISSUER
    print(issuer.token(options.subject, *options.roles, valid_s=options.valid_s))
    return 0
