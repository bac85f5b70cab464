"""`./scripts/run`: the command line of a replay, and of `./scripts/run token`.

Only the standard library is imported until the arguments have been checked, so that `--help` and
the refusal of a wrong argument need no installation. Modules of ours are imported where Ctrl-C is
expected: importing takes a second on a busy machine, and would end in a traceback.
"""

import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.replay.options import Options

EXIT_UNBALANCED = 1
EXIT_NOT_STARTED = 2
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Set up the checkout and run the replay, or sign a token; the program's exit status."""
    try:
        return _command(arguments)
    except KeyboardInterrupt:
        print("stopped")
        return EXIT_INTERRUPTED


def _command(arguments: Sequence[str]) -> int:
    from scripts.replay import token_command  # noqa: PLC0415
    from scripts.replay.options import parse  # noqa: PLC0415
    from scripts.tools import setup  # noqa: PLC0415

    if arguments[:1] == [token_command.NAME]:
        asked = token_command.parse(arguments[1:])
        setup.continue_in_environment("scripts.replay", arguments)
        return token_command.run(asked)
    options = parse(arguments)
    setup.continue_in_environment("scripts.replay", arguments)
    return _run(options)


def _run(options: "Options") -> int:
    # Not at the top: these modules import installed packages.
    from rich.console import Console  # noqa: PLC0415

    from discovery.clock import SystemClock  # noqa: PLC0415
    from scripts.replay import session  # noqa: PLC0415
    from scripts.suite.processes import interruption  # noqa: PLC0415
    from scripts.suite.run_folder import StartError  # noqa: PLC0415

    console = Console()
    stop = interruption.SuiteStop(
        partial(console.print, highlight=False, markup=False, soft_wrap=True)
    )
    running = session.run(options, console=console, clock=SystemClock(), stop=stop)
    try:
        report = interruption.run(running, on_first=stop.begin, on_further=stop.at_once)
    except StartError as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        return EXIT_NOT_STARTED
    return 0 if report.balanced else EXIT_UNBALANCED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
