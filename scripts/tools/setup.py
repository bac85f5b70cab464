"""`scripts/setup`: installs everything the project needs, into `.venv/` and `.tools/`.

It may run at any time and in several terminals: one works, the others wait. A finished step is not
repeated; a step that was killed is started again from the beginning. Standard library only.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.tools import binaries, environment, node, stamps
from scripts.tools.commands import SetupError
from scripts.tools.paths import TOOLS, VENV
from scripts.tools.shipping import manifest_tools

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


def main() -> None:
    """The command `./scripts/setup`."""
    argparse.ArgumentParser(prog="./scripts/setup", description=__doc__).parse_args()
    ensure_all(for_tests=True)


def continue_in_environment(module: str, arguments: Sequence[str]) -> None:
    """Return in the Python of `.venv`; elsewhere, run setup and then `module` in that Python.

    So a command can check its arguments before anything is installed.
    """
    if Path(sys.prefix).resolve() != VENV:
        ensure_all()
        os.execv(environment.PYTHON, [str(environment.PYTHON), "-m", module, *arguments])  # noqa: S606


def ensure_all(*, for_tests: bool = False) -> None:
    """Run every step that isn't done; on failure print what a person can do, and exit.

    What only tests need is installed `for_tests`: a first `./scripts/run` downloads less.
    """
    try:
        with stamps.only_one(TOOLS / ".setup-lock"):
            _announce(for_tests=for_tests)
            environment.ensure_venv()
            binaries.ensure_packaged()
            environment.ensure_packages()
            binaries.ensure_envoy()
            binaries.ensure_consul()
            if for_tests:
                binaries.ensure_pgbouncer()
                binaries.ensure_prometheus()
                manifest_tools.ensure_installed()
                node.ensure_node()
                node.ensure_node_packages()
                binaries.ensure_chromium()
    except (SetupError, OSError) as error:
        print(f"setup: {error}", file=sys.stderr)
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        print("setup: stopped; the next run goes on after the last finished step", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)


def _announce(*, for_tests: bool) -> None:
    """Say what will be downloaded, and how much, before it begins."""
    due = [*environment.downloads(), *binaries.downloads()]
    if for_tests:
        due += [*binaries.test_downloads(), *manifest_tools.downloads(), *node.downloads()]
    if due:
        total = sum(megabytes for _, megabytes in due)
        parts = ", ".join(f"{what} {megabytes} MB" for what, megabytes in due)
        print(f"this run downloads about {total} MB into .venv/ and .tools/: {parts}", flush=True)


if __name__ == "__main__":
    main()
