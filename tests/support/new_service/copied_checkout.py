"""A copy of this checkout as it is, committed or not, in which a test may make a service."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.tools.paths import ROOT, tool_environment

MYPY_CACHE = ".mypy_cache"
_AUTHOR = ("-c", "user.name=test", "-c", "user.email=test@tradepost.test")


@dataclass(frozen=True, slots=True)
class CopiedCheckout:
    """A checkout in `folder`; it uses the programs and the packages of this one."""

    folder: Path

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python in it; its code comes before that of this checkout."""
        paths = f"{self.folder}:{self.folder / 'generated'}"
        settings = {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": ""}
        return self._run(sys.executable, *arguments, settings=settings)

    def git(self, *arguments: str) -> str:
        """Run git in it and return what it printed."""
        done = self._run("git", *_AUTHOR, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def commit(self) -> None:
        """Commit whatever was changed."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--no-verify", "--message", "a change")

    def _run(
        self, *command: str, settings: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**tool_environment(), **(settings or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def copied_checkout(folder: Path) -> CopiedCheckout:
    """Clone this checkout into `folder`, with what is not committed yet."""
    subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, folder], check=True)
    for name in _uncommitted():
        (folder / name).unlink(missing_ok=True)
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for installed in (".venv", ".tools"):
        (folder / installed).symlink_to(ROOT / installed)
    if (ROOT / MYPY_CACHE).exists():
        # What mypy knows of the files that are the same; without it mypy takes 20 s.
        shutil.copytree(ROOT / MYPY_CACHE, folder / MYPY_CACHE)
    # As folders are ignored there, and links are not.
    exclude = folder / ".git/info/exclude"
    exclude.write_text("/.venv\n/.tools\n")
    copy = CopiedCheckout(folder)
    copy.commit()
    return copy


def _uncommitted() -> Iterator[str]:
    """The files of this checkout that differ from its last commit, staged or not."""
    changed = ("diff", "-z", "--name-only", "--no-renames", "HEAD")
    for listed in (changed, ("ls-files", "-z", "--others", "--exclude-standard")):
        done = subprocess.run(
            ["git", *listed], cwd=ROOT, capture_output=True, text=True, check=True
        )
        yield from filter(None, done.stdout.split("\0"))
