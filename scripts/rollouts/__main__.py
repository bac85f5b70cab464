"""`./scripts/rollout`: rolls out versions of the order service, and says how each one ended.

Only the standard library is imported until the arguments have been checked, as in `scripts.replay`.
"""

import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.rollouts.rollout_options import RolloutOptions

EXIT_WRONG = 1
EXIT_NOT_STARTED = 2
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Set up the checkout and roll out; the program's exit status."""
    try:
        from scripts.rollouts.rollout_options import parse  # noqa: PLC0415
        from scripts.tools import setup  # noqa: PLC0415

        options = parse(arguments)
        setup.continue_in_environment("scripts.rollouts", arguments)
        return _run(options)
    except KeyboardInterrupt:
        print("stopped")
        return EXIT_INTERRUPTED


def _run(options: "RolloutOptions") -> int:
    # Not at the top: these modules import installed packages.
    from rich.console import Console  # noqa: PLC0415

    from discovery.clock import SystemClock  # noqa: PLC0415
    from scripts.rollouts import blue_green, canary, simulations  # noqa: PLC0415
    from scripts.suite.processes import interruption  # noqa: PLC0415
    from scripts.suite.run_folder import StartError  # noqa: PLC0415

    console = Console()
    if options.simulations:
        simulations.show(options.simulations, seed=options.seed, console=console)
        return 0
    stop = interruption.SuiteStop(
        partial(console.print, highlight=False, markup=False, soft_wrap=True)
    )
    roll = blue_green.switch_there_and_back if options.blue_green else canary.rollouts
    running = roll(options, console=console, clock=SystemClock(), stop=stop)
    try:
        is_right = interruption.run(running, on_first=stop.begin, on_further=stop.at_once)
    except StartError as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        return EXIT_NOT_STARTED
    return 0 if is_right else EXIT_WRONG


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
