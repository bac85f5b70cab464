"""The commands of docs/operations: finds the blocks for a shell on a page, and runs them.

A block's kind is the second word of its fence: none for one that is run, `sqlite` or `postgresql`
for one of that database, `server` for a whole server of PostgreSQL, `repair` for lines that are
asked with ids of nothing, and `unbalanced` for a check that must find something.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from scripts.suite.cluster import SERVICES, Cluster
from scripts.tools.paths import ROOT, postgres_bin
from tests.support.suite.programs import ProgramResult, run

FOLDER = ROOT / "docs/operations"
KINDS = ("", "sqlite", "postgresql", "server", "repair", "unbalanced")
_FENCE = re.compile(r"^```(.*)$")
# A command that fails ends the script. That grep finds no line is no failure.
_STRICT = """
trap 'code=$?
case "$BASH_COMMAND" in
    grep*|*"| grep"*) [ $code -le 1 ] ;;
    *) false ;;
esac || { echo "status $code of: $BASH_COMMAND" >&2; exit 1; }' ERR
"""


@dataclass(frozen=True, slots=True)
class Block:
    """The lines of a fence, under a heading; `language` and `kind` are the words of the fence."""

    heading: str
    language: str
    kind: str
    text: str


def pages() -> list[str]:
    """The names of all pages."""
    return sorted(page.name for page in FOLDER.glob("*.md"))


def blocks(page: str) -> Iterator[Block]:
    """All fences of a page, from its top to its end."""
    heading, fence, lines = "", None, []
    for line in (FOLDER / page).read_text().splitlines():
        fenced = _FENCE.match(line)
        if fenced and fence is None:
            fence, lines = fenced[1], []
        elif fenced:
            language, _, kind = str(fence).partition(" ")
            yield Block(heading, language, kind, "\n".join(lines) + "\n")
            fence = None
        elif fence is not None:
            lines.append(line)
        elif line.startswith("#"):
            heading = line.lstrip("# ")


def commands(page: str, *kinds: str, heading: str | None = None) -> str:
    """The lines of these kinds, as one script; under one heading, or of the whole page."""
    return "".join(
        block.text
        for block in blocks(page)
        if block.kind in kinds and heading in (None, block.heading)
    )


async def addresses(suite: Cluster) -> dict[str, str]:
    """The variables that the first page sets: the Consul agent, and an instance of each service."""
    instances = {name: await suite.instances(name) for name in SERVICES}
    return {
        "CONSUL_HTTP_ADDR": suite.consul.address,
        **{name.upper(): found[0].endpoint for name, found in instances.items()},
    }


async def shell(script: str, environment: Mapping[str, str]) -> ProgramResult:
    """Run lines in bash; a line that fails ends it with status 1.

    The first page's functions are there. The addresses that it looks up must be in `environment`:
    looking up four takes a second each time.
    """
    (first,) = blocks("README.md")
    known = "".join(
        line for line in first.text.splitlines(keepends=True) if "$(address" not in line
    )
    return await run(
        "bash",
        *("-c", f"{_STRICT}{known}{script}"),
        folder=ROOT,
        environment={
            **os.environ,
            "PATH": f"{postgres_bin()}:{os.environ['PATH']}",
            **environment,
        },
    )
