"""`./scripts/release`: makes a release of this checkout. Nothing is pushed."""

import argparse
import sys
from collections.abc import Sequence

from scripts.tools import setup
from scripts.tools.paths import ROOT


def main(arguments: Sequence[str]) -> int:
    """Set up the checkout and release it; the program's exit status."""
    parser = argparse.ArgumentParser(prog="./scripts/release", description=__doc__)
    parser.add_argument("version", metavar="VERSION", help="three numbers, as in 1.2.0")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, only")
    options = parser.parse_args(arguments)
    setup.continue_in_environment("scripts.releases", arguments)
    # Not at the top: these modules import installed packages.
    from discovery.clock import SystemClock  # noqa: PLC0415
    from scripts.releases.release import release  # noqa: PLC0415

    return release(options.version, ROOT, clock=SystemClock(), dry_run=options.dry_run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
