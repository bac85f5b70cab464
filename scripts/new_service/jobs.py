"""Jobs of the command: each is timed and printed, and says what it did or why it failed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from discovery.clock import Clock
from scripts.tools.commands import SetupError, run
from scripts.tools.paths import ROOT, tool_environment

_MOST_CHARACTERS = 100

# Runs a program in the checkout and returns what it printed. Raises SetupError.
run_program = partial(
    run, settings={**tool_environment(), "PYTHONPATH": f"{ROOT}:{ROOT / 'generated'}"}
)


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do, which returns what it says. It raises SetupError."""

    title: str
    do: Callable[[], str]


def passes(job: Job, *, clock: Clock) -> bool:
    """Do what a job is for and print its result."""
    start_s = clock.monotonic()
    try:
        said = job.do()
    except SetupError as error:
        print(f"FAIL {job.title}\n{error}", flush=True)
        return False
    last_line = said.strip().rpartition("\n")[2][:_MOST_CHARACTERS]
    print(f"ok   {job.title:<14} {clock.monotonic() - start_s:5.1f} s  {last_line}", flush=True)
    return True
