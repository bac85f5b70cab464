"""Why a release can't be made: each refusal is a line that says what to do first."""

import re
from collections.abc import Iterator
from pathlib import Path

from packaging.version import Version

from scripts.releases import released_tables
from scripts.releases.last_release import last_release, tables_file
from scripts.releases.steps import CHANGELOG, UNRELEASED, tag_of
from scripts.tools.checks import RELEASED
from scripts.tools.commands import SetupError, run
from scripts.tools.paths import buf_path

_VERSION = re.compile(r"\d+\.\d+\.\d+")


def refusals(root: Path, version: str) -> Iterator[str]:
    """What forbids to release `version` from the checkout `root`; nothing if it can be made."""
    yield from _of_version(root, version)
    if changed := run("git", "status", "--porcelain", folder=root):
        yield f"commit these files first, or remove them:\n{changed.rstrip()}"
    if not _section(root / CHANGELOG):
        yield f"{CHANGELOG}: write under Unreleased what users see"
    try:
        run(buf_path(), "breaking", "--against", RELEASED, folder=root)
    except SetupError as error:
        yield f"the contracts break callers of the last release:\n{error}"
    for service in released_tables.services(root):
        if tables_file(service, root).exists():
            yield from released_tables.unusable_for_release(service, root)


def _of_version(root: Path, version: str) -> Iterator[str]:
    if not _VERSION.fullmatch(version):
        yield f"{version} is no version: write three numbers, as in 1.2.0"
        return
    last = last_release(root).version
    if Version(version) <= Version(last):
        yield f"{version} isn't higher than the last release, {last}"
    if run("git", "tag", "--list", tag_of(version), folder=root):
        yield f"the tag {tag_of(version)} exists"


def _section(file: Path) -> str:
    """What stands under Unreleased."""
    _, _, after = file.read_text().partition(UNRELEASED)
    return re.split(r"^## ", after, maxsplit=1, flags=re.MULTILINE)[0].strip()
