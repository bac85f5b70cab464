"""Other revisions of this repository, each in a checkout of its own that is kept by commit.

A checkout is an archive of the commit. It is no git worktree, so the repository is only read, and a
checkout is removed by deleting its folder. If this one's environment has all packages of its lock,
it uses this one's Python; otherwise it is set up by its own `scripts/setup`.
"""

import re
import shutil
from pathlib import Path

from scripts.suite.processes.slot import Installation
from scripts.tools import stamps
from scripts.tools.commands import SetupError, run
from scripts.tools.environment import LOCKS, PYTHON
from scripts.tools.paths import ROOT, TOOLS, VENV

FOLDER = TOOLS / "revisions"
UV = TOOLS / "bin" / "uv"
# Digits of a commit's id: enough for folders and for people.
DIGITS = 10
_PINNED = re.compile(r"^\S+==\S+", re.MULTILINE)


class RevisionError(Exception):
    """A revision names no commit, or the commit can't be set up."""


def commit_of(revision: str) -> str:
    """The short id of the commit that a revision names. Raises RevisionError."""
    name = f"{revision}^{{commit}}"
    try:
        found = run("git", "rev-parse", "--verify", "--end-of-options", name)
    except SetupError as error:
        cause = str(error).strip().splitlines()[-1].removeprefix("fatal: ")
        raise RevisionError(f"{revision} names no commit here: {cause}") from error
    return found.strip()[:DIGITS]


def ensure_set_up(commit: str) -> Installation:
    """The checkout of a commit; it is made and set up if needed. Raises RevisionError."""
    root = FOLDER / commit
    try:
        with stamps.only_one(TOOLS / ".revisions-lock"):
            if not root.exists():
                unpack(commit, root)
            if needs_no_other_packages(root):
                return Installation(root, PYTHON)
            environment = root / VENV.relative_to(ROOT)
            if not environment.exists():
                # Its setup keeps what it finds. Two interpreters differ more than two revisions.
                run(UV, "venv", "--quiet", "--seed", "--python", PYTHON, environment)
            run(root / "scripts" / "setup")
    except (SetupError, OSError) as error:
        raise RevisionError(f"{commit} can't be set up: {error}") from error
    return Installation(root, root / PYTHON.relative_to(ROOT))


def needs_no_other_packages(root: Path) -> bool:
    """Whether this checkout's lock has all that another one's has, in the same versions."""
    lock = LOCKS[0].relative_to(ROOT)
    theirs, ours = (set(_PINNED.findall((each / lock).read_text())) for each in (root, ROOT))
    return theirs <= ours


def unpack(commit: str, root: Path) -> None:
    """Make the folder with the files of a commit; it appears once it is whole."""
    draft = root.with_name(f"{commit}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    archive = draft / "archive.tar"
    run("git", "archive", "--format=tar", f"--output={archive}", commit)
    run("tar", "--extract", "--file", archive, "--directory", draft)
    archive.unlink()
    draft.rename(root)
