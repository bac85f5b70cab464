"""The tables of docs/security.md that tests write: each between two comments with its name."""

import re
from collections.abc import Iterable, Sequence

from scripts.tools.paths import ROOT

PAGE = ROOT / "docs" / "security.md"
HEADINGS = ("attempt", "against", "answer")


def expect_table(
    name: str, rows: Iterable[Sequence[str]], headings: Sequence[str] = HEADINGS
) -> None:
    """Fail, with the table as it should be, unless the page shows these rows under the name."""
    lines = [headings, ["---"] * len(headings), *rows]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines).replace("| --- ", "|---")
    table = table.replace("|--- |", "|---|")
    found = re.search(f"<!-- {name} -->\n(.*?)<!-- /{name} -->", PAGE.read_text(), re.DOTALL)

    assert found is not None, f"put a place for `{name}` into {PAGE}"
    assert found[1] == table, f"put this into {PAGE} under `{name}`:\n{table}"
