"""`./scripts/release`, in a clone of this repository: what it refuses, and what it leaves."""

import json
import subprocess
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts.releases.last_release import FOLDER, last_release
from scripts.releases.release import EXIT_FAILED, EXIT_REFUSED, release
from scripts.releases.released_tables import tables_sql
from scripts.tools.paths import ROOT
from tests.support.clock.manual_clock import ManualClock

NEXT = "7.0.0"
CLOCK = ManualClock(datetime(2031, 5, 6, 23, 30, tzinfo=UTC))
MONEY = "protos/tradepost/type/v1/money.proto"


class Clone:
    """A clone of the committed state, and what a release of it said."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.builders: tuple[str, ...] = ()

    def builder(self, name: str, commands: str) -> Path:
        """A program that stands for a builder of images; the file it can write its words to."""
        program, words = (self.root.with_name(f"{name}{ending}") for ending in ("", ".words"))
        program.write_text(f"#!/bin/sh\n{commands.format(words=words)}\n")
        program.chmod(0o700)
        self.builders = (*self.builders, str(program))
        return words

    def release(self, version: str = NEXT, *, dry_run: bool = False) -> tuple[int, str]:
        """The exit status and all lines."""
        said: list[str] = []
        status = release(
            version,
            self.root,
            clock=CLOCK,
            builders=self.builders,
            dry_run=dry_run,
            say=said.append,
        )
        return status, "\n".join(said)

    def git(self, *words: str) -> str:
        """What git prints."""
        done = subprocess.run(
            ["git", *words], cwd=self.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace a text that is in the file, and commit that."""
        text = (self.root / file).read_text()
        assert old in text
        (self.root / file).write_text(text.replace(old, new, 1))
        self.git("commit", "--quiet", "--all", "--message", f"Change {file}")

    def is_untouched(self, head: str) -> bool:
        """Whether there is neither a change nor a commit nor a tag."""
        return not self.git("status", "--porcelain") and self.git("rev-parse", "HEAD") == head


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A new clone, without the tags and the older commits, as CI may have it."""
    root = tmp_path / "clone"
    source = f"file://{ROOT}"
    subprocess.run(["git", "clone", "-q", "--depth", "1", "--no-tags", source, root], check=True)
    clone = Clone(root)
    clone.git("config", "user.name", "Ada")
    clone.git("config", "user.email", "ada@tradepost.localhost")
    # There is nothing yet right after a release.
    clone.edit("CHANGELOG.md", "## Unreleased\n", "## Unreleased\n\n### Added\n- Something.\n")
    return clone


def test_a_release_is_a_commit_a_tag_and_a_wheel(clone: Clone) -> None:
    """Version, changelog, contracts and tables are those of the release; its commit has the tag.

    A dry run says each line of it, and does nothing.
    """
    released = clone.git("rev-parse", "HEAD")
    tried, plan = clone.release(dry_run=True)
    assert (tried, clone.is_untouched(released)) == (0, True)
    (clone.root / FOLDER / "order.sql").unlink()
    clone.git("commit", "--quiet", "--all", "--message", "Forget tables")
    code = clone.git("rev-parse", "HEAD")

    status, said = clone.release()

    assert (status, clone.git("status", "--porcelain")) == (0, ""), said
    assert said.replace(code, released).splitlines()[:-1] == plan.splitlines()[:-1]
    assert plan.splitlines()[-1] == "nothing was changed"
    assert said.splitlines()[-1] == f"to publish it: git push origin HEAD v{NEXT}"
    assert clone.git("rev-parse", f"v{NEXT}^{{commit}}") == clone.git("rev-parse", "HEAD")
    assert clone.git("rev-parse", "HEAD~1") == code
    assert json.loads((clone.root / FOLDER / "release.json").read_text()) == {
        "version": NEXT,
        "commit": code,
    }
    assert (clone.root / FOLDER / "order.sql").read_text() == tables_sql("order")
    project = tomllib.loads((clone.root / "pyproject.toml").read_text())["project"]
    assert project["version"] == NEXT
    assert f'    version: str = "{NEXT}"' in clone.git(
        "show", "HEAD:services/chassis/server/settings.py"
    )
    assert (
        f"## Unreleased\n\n## {NEXT} - 2031-05-06\n\n" in (clone.root / "CHANGELOG.md").read_text()
    )
    assert [file.name for file in (clone.root / "dist").iterdir()] == [
        f"tradepost-{NEXT}-py3-none-any.whl"
    ]
    # The same version again: it is released, its tag exists, and nothing is new.
    assert clone.release()[0] == EXIT_REFUSED


def test_no_file_that_is_shipped_keeps_the_version_before(clone: Clone) -> None:
    """Manifests start the image of the release, and its programs say which they are."""
    before = tomllib.loads((clone.root / "pyproject.toml").read_text())["project"]["version"]

    assert clone.release()[0] == 0

    shipped = clone.git("ls-files", "deploy", "services", "discovery", "docs/operations")
    texts = {file: (clone.root / file).read_text() for file in shipped.splitlines()}
    assert [file for file, text in texts.items() if before in text] == []
    assert f"newTag: {NEXT}" in texts["deploy/kubernetes/base/kustomization.yaml"]


def test_the_first_builder_that_works_builds_the_images(clone: Clone) -> None:
    """A builder that is missing, or a client whose server doesn't run, stops no release."""
    clone.builders = ("/missing/builder",)
    clone.builder("client", 'echo "Cannot connect to the server" >&2; exit 1')
    status, said = clone.release(dry_run=True)
    assert status == 0
    assert f"no image: none of {', '.join(clone.builders)} works here, try its `info`" in said

    words, code = clone.builder("works", 'echo "$@" >> {words}'), clone.git("rev-parse", "HEAD")
    status, said = clone.release()

    assert (status, f"image: tradepost:{NEXT}" in said) == (0, True), said
    arguments = f"--build-arg REVISION={code} --tag"
    assert words.read_text().splitlines() == [
        "info",
        f"build --file deploy/Containerfile {arguments} tradepost:{NEXT} .",
        f"build --file deploy/Containerfile --target edge {arguments} tradepost-edge:{NEXT} .",
    ]


def test_a_release_that_must_not_be_made_is_refused(clone: Clone) -> None:
    """All reasons are told at once, and nothing is changed."""
    clone.git("tag", "v0.0.1")
    clone.edit("CHANGELOG.md", "## Unreleased\n", "## Unreleased\n\n## 0.0.0 - 2020-01-01\n")
    clone.edit(MONEY, "int64 minor_units = 2;", "string minor_units = 2;")
    (clone.root / "note.txt").write_text("to do")
    head = clone.git("rev-parse", "HEAD")

    status, said = clone.release("0.0.1")

    assert status == EXIT_REFUSED
    for reason in (
        f"0.0.1 isn't higher than the last release, {last_release().version}",
        "the tag v0.0.1 exists",
        "commit these files first, or remove them:\n?? note.txt",
        "CHANGELOG.md: write under Unreleased what users see",
        "the contracts break callers of the last release:",
    ):
        assert reason in said
    (clone.root / "note.txt").unlink()
    assert clone.is_untouched(head)
    assert "1.2 is no version" in clone.release("1.2")[1]


def test_a_release_that_fails_leaves_the_files_as_they_were(clone: Clone) -> None:
    """A wheel that can't be built is told, and neither a change nor a tag is left."""
    clone.edit("pyproject.toml", 'readme = "README.md"', 'readme = "MISSING.md"')
    head = clone.git("rev-parse", "HEAD")

    status, said = clone.release()

    assert status == EXIT_FAILED
    assert "not released: " in said
    assert "MISSING.md" in said
    assert clone.is_untouched(head)
    assert clone.git("tag") == ""
