"""`./scripts/new-service NAME`: the command line.

Only the standard library is imported until the arguments have been checked, so that `--help` and
the refusal of a wrong argument need no installation.
"""

import argparse
import sys
from collections.abc import Sequence

from scripts.tools import setup

DESCRIPTION = (
    "Make the service NAME from scripts/new_service/template: contract, rules, tables, RPCs, a feed"
    " of events, a consumer of the order feed, and tests. Then generate its stubs and run what"
    " checks it. docs/new-service.md says how to go on."
)
EXIT_REFUSED = 2


def main(arguments: Sequence[str]) -> int:
    """Make a service; the program's exit status."""
    parser = argparse.ArgumentParser(
        prog="./scripts/new-service", description=DESCRIPTION, allow_abbrev=False
    )
    parser.add_argument("name", metavar="NAME", help="3 to 20 lowercase letters, such as shipping")
    parser.add_argument(
        "--no-check", action="store_true", help="make the files, and run no checks and no tests"
    )
    asked = parser.parse_args(arguments)
    setup.continue_in_environment("scripts.new_service", arguments)
    # Not at the top: these modules import installed packages.
    from discovery.clock import SystemClock  # noqa: PLC0415
    from scripts.new_service.making import make  # noqa: PLC0415
    from scripts.new_service.preconditions import RefusedError  # noqa: PLC0415

    try:
        return make(asked.name, check=not asked.no_check, clock=SystemClock())
    except RefusedError as error:
        print(f"new-service: {error}", file=sys.stderr)
        return EXIT_REFUSED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
