"""The commands of docs/edge.md, and the lines that a run with --stay prints, at a real edge."""

import json
import os
import re
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from scripts.suite.cluster import Cluster
from scripts.suite.edge import SuiteEdge, lines_to_try, running_edge
from scripts.tools.paths import ROOT
from services.edge.contract.contract import read
from services.edge.resources.own_errors import OWN_ERRORS
from tests.support.suite.printed_lines import expect_followed_order
from tests.support.suite.programs import run

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = (ROOT / "docs" / "edge.md").read_text()
COMMANDS = "\n".join(re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL))
FAILS = "set -euo pipefail\n"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def edge(
    suite: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SuiteEdge]:
    folder = tmp_path_factory.mktemp("edge")
    (folder / "logs").mkdir()
    async with running_edge(suite, folder) as edge:
        yield edge


async def test_the_commands_work(edge: SuiteEdge) -> None:
    """Typed one after the other, every command succeeds, and each protocol shows the same order."""
    result = await run(
        "bash", "-c", FAILS + COMMANDS, folder=ROOT, environment={**os.environ, "EDGE": edge.url}
    )

    assert result.code == 0, result.out + result.err
    orders = re.findall(r'"order_?[iI]d": ?"(ord_[0-9a-f]+)"', result.out)
    by_rest, *others = [each for each in orders if each.strip("ord_0")]
    assert set(others) == {by_rest}
    # JSON of REST has no line end, so the first event stands behind it.
    events = [json.loads(each) for each in re.findall(r"data: (.*)$", result.out, re.MULTILINE)]
    assert events[0]["version"] == "1"
    assert events[-1]["order"]["state"] == "ORDER_STATE_CONFIRMED"
    # The second stream begins behind the first version.
    assert [each["version"] for each in events].count("1") == 1
    paths = re.findall(r'^"(/v1/[^"]*)"$', result.out, re.MULTILINE)
    assert sorted(paths) == sorted(json.loads(read().openapi)["paths"])


async def test_the_printed_lines_work(edge: SuiteEdge) -> None:
    """They place an order, read it, watch it as it goes on, and cancel it."""
    place, read_it, watch, cancel = lines_to_try(
        edge.url, "CRUNCHY-ARMCHAIR", new_id=uuid.UUID(int=7), credentials=None
    )

    result = await run("bash", "-c", f"{place}\n{read_it}\n{watch}\n{cancel}\n{read_it}")

    expect_followed_order(result)


async def test_the_page_lists_the_edges_own_errors() -> None:
    """Each reason that the edge answers with is in the table, with its HTTP status."""
    rows = re.findall(r"^\| ([0-9, ]+) \| [A-Z_]+ \| (.+?) \|", PAGE, re.MULTILINE)
    listed = {
        (int(status), reason)
        for statuses, reasons in rows
        for status in statuses.split(", ")
        for reason in re.findall(r"`(\w+)`", reasons)
    }
    for error in OWN_ERRORS:
        assert (error.sent_status or error.http_status, error.reason) in listed
