"""Makes a release, step by step, unless something forbids it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from discovery.clock import Clock
from scripts.releases.refusals import refusals
from scripts.releases.steps import BUILDERS, steps, tag_of
from scripts.tools.commands import SetupError, run

EXIT_REFUSED = 1
EXIT_FAILED = 2


def release(
    version: str,
    root: Path,
    *,
    clock: Clock,
    builders: Sequence[str] = BUILDERS,
    dry_run: bool = False,
    say: Callable[[str], object] = print,
) -> int:
    """Release `version` of the checkout `root`, or say what that would do; the exit status.

    `builders` are the programs of which the first that works builds the image. Nothing is pushed.
    When a step fails, the files are again as they were committed.
    """
    if found := list(refusals(root, version)):
        say("\n".join(found))
        return EXIT_REFUSED
    commit = run("git", "rev-parse", "HEAD", folder=root).strip()
    date = clock.now().date().isoformat()
    try:
        for step in steps(root, version, commit=commit, date=date, builders=builders):
            say(step.text)
            if not dry_run:
                step.do()
    except (SetupError, OSError) as error:
        run("git", "reset", "--quiet", "--hard", commit, folder=root)
        say(f"not released: {error}")
        return EXIT_FAILED
    publish = f"to publish it: git push origin HEAD {tag_of(version)}"
    say("nothing was changed" if dry_run else publish)
    return 0
