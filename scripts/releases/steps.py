"""The steps of a release: what each one changes, and how it is done."""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scripts.releases import released_tables
from scripts.releases.last_release import FOLDER, RELEASE, tables_file
from scripts.tools.checks import RELEASED
from scripts.tools.commands import SetupError, run
from scripts.tools.paths import buf_path

CHANGELOG = "CHANGELOG.md"
UNRELEASED = "## Unreleased\n"
CONTAINERFILE = "deploy/Containerfile"
# The images, and how the Containerfile is asked for each.
IMAGES: Mapping[str, Sequence[str]] = {"tradepost": (), "tradepost-edge": ("--target", "edge")}
# Programs that build an image; the first one that works is taken.
BUILDERS = ("buildah", "podman", "docker")
# The lines in each file that have the version, which is in the group.
VERSION_LINES: Mapping[str, str] = {
    "pyproject.toml": r'^version = "(.+)"$',
    "services/chassis/server/settings.py": r'^    version: str = "(.+)"$',
    "docs/operations/settings.md": r"^\| `TRADEPOST_VERSION` \| (\S+) \|",
    "deploy/Containerfile": r"^ARG VERSION=(\S+)$",
    "deploy/kubernetes/base/kustomization.yaml": r"newTag: ([^\s}]+)",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a line for a person, and what does it. It raises SetupError and OSError."""

    text: str
    do: Callable[[], object]


def tag_of(version: str) -> str:
    """The tag of a version."""
    return f"v{version}"


def steps(
    root: Path, version: str, *, commit: str, date: str, builders: Sequence[str] = BUILDERS
) -> Iterator[Step]:
    """The steps that make `version` of the code at `commit`, in the checkout `root`."""
    for file, line in VERSION_LINES.items():
        yield Step(f"{file}: {version}", partial(_write_version, root / file, line, version))
    heading = f"## {version} - {date}"
    yield Step(f"{CHANGELOG}: {heading}", partial(_name_section, root / CHANGELOG, heading))
    yield Step(
        f"{RELEASED}: the contracts",
        partial(run, buf_path(), "build", "--output", RELEASED, folder=root),
    )
    for service in released_tables.services(root):
        made = tables_file(service, root).relative_to(root)
        yield Step(f"{made}: the tables", partial(_write_tables, service, root))
    yield Step(
        f"{FOLDER}/{RELEASE}: {version}, {commit}",
        partial(_write_release, root / FOLDER / RELEASE, version, commit),
    )
    wheel = (sys.executable, "-m", "hatchling", "build", "--target", "wheel")
    yield Step("dist/: the wheel", partial(run, *wheel, folder=root))
    yield from _images(root, version, commit, builders)
    message = f"Release {version}"
    yield Step(f"commit: {message}", partial(_commit, root, message))
    tag = ("git", "tag", "--annotate", tag_of(version), "--message", message)
    yield Step(f"tag: {tag_of(version)}", partial(run, *tag, folder=root))


def _images(root: Path, version: str, commit: str, builders: Sequence[str]) -> Iterator[Step]:
    builder = next(filter(_works, builders), None)
    if builder is None:
        text = f"no image: none of {', '.join(builders)} works here, try its `info`"
        yield Step(text, lambda: None)
        return
    for image, target in IMAGES.items():
        name = f"{image}:{version}"
        command = (
            *(builder, "build", "--file", CONTAINERFILE, *target),
            *("--build-arg", f"REVISION={commit}", "--tag", name, "."),
        )
        yield Step(f"image: {name}", partial(run, *command, folder=root))


def _works(builder: str) -> bool:
    """Whether a program can build images. Docker's client alone, without its server, can't."""
    try:
        run(builder, "info")
    except SetupError:
        return False
    return True


def _write_version(file: Path, line: str, version: str) -> None:
    text = file.read_text()
    found = list(re.finditer(line, text, re.MULTILINE))
    if not found:
        raise SetupError(f"{file}: no line has the version, as in {line}")
    for each in reversed(found):
        text = text[: each.start(1)] + version + text[each.end(1) :]
    file.write_text(text)


def _name_section(file: Path, heading: str) -> None:
    file.write_text(file.read_text().replace(UNRELEASED, f"{UNRELEASED}\n{heading}\n", 1))


def _write_tables(service: str, root: Path) -> None:
    file = tables_file(service, root)
    file.parent.mkdir(exist_ok=True)
    file.write_text(released_tables.tables_sql(service, root))


def _write_release(file: Path, version: str, commit: str) -> None:
    file.write_text(json.dumps({"version": version, "commit": commit}, indent=2) + "\n")


def _commit(root: Path, message: str) -> None:
    run("git", "add", "--all", folder=root)
    run("git", "commit", "--quiet", "--message", message, folder=root)
