"""`scripts/check`: the checks that a change must pass in addition to the tests, each one timed.

All checks run, even after one has failed, so that one run shows every fault.
"""

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.tools import setup
from scripts.tools.paths import ROOT, VENV, buf_path, tool_environment

# The contracts of the last release; a change that breaks their callers fails.
RELEASED = "protos/released.binpb"


@dataclass(frozen=True, slots=True)
class Check:
    """A check's name, and the command whose exit status decides."""

    name: str
    command: tuple[str | Path, ...]


def checks() -> tuple[Check, ...]:
    """All checks, quick ones first."""
    bin_, buf = VENV / "bin", buf_path()
    return (
        Check("ruff check", (bin_ / "ruff", "check", "--quiet", ".")),
        Check("ruff format", (bin_ / "ruff", "format", "--quiet", "--check", ".")),
        Check("mypy", (bin_ / "mypy", "discovery", "services", "scripts")),
        Check("import-linter", (bin_ / "lint-imports", "--no-logo")),
        Check("buf lint", (buf, "lint")),
        Check("buf breaking", (buf, "breaking", "--against", RELEASED)),
        Check("generated code", (bin_ / "python", "-m", "scripts.tools.generation", "--check")),
    )


def passes(check: Check) -> bool:
    """Run one check and print its result; print its output if it failed."""
    start = time.monotonic()
    done = subprocess.run(
        check.command,
        cwd=ROOT,
        env={**tool_environment(), "PYTHONPATH": f"{ROOT}:{ROOT / 'generated'}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    good = done.returncode == 0
    print(f"{'ok  ' if good else 'FAIL'} {check.name:<15} {time.monotonic() - start:5.1f} s")
    if not good:
        print(done.stdout.rstrip(), flush=True)
    return good


def main() -> int:
    """Run all checks; return 1 if any fails."""
    argparse.ArgumentParser(prog="./scripts/check", description=__doc__).parse_args()
    setup.ensure_all()
    failed = [check.name for check in checks() if not passes(check)]
    print(f"failed: {', '.join(failed)}" if failed else "all checks pass")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
