"""The edge of `./scripts/run --stay`, and the lines that it prints."""

import random
import uuid
from pathlib import Path

from discovery.clock import SystemClock
from scripts.suite import cluster
from scripts.suite.baskets import Product
from scripts.suite.edge import lines_to_try, running_edge
from scripts.suite.items import create_items
from scripts.suite.stubs import open_stubs
from tests.support.suite.programs import run


async def test_the_printed_lines_work(tmp_path: Path) -> None:
    """The lines place an order, read it, watch it as it goes on, and cancel it."""
    clock, rng = SystemClock(), random.Random(1)
    async with (
        cluster.running(tmp_path, instances=1, clock=clock, rng=rng) as suite,
        open_stubs(suite) as stubs,
        running_edge(suite, tmp_path) as edge,
    ):
        tea = Product(sku="tea", name="Tea", price_minor=250)
        await create_items(stubs.inventory, {"tea": tea}, {"tea": 10}, rng=rng)
        place, read, watch, cancel = lines_to_try(
            edge.url, "tea", new_id=uuid.UUID(int=7), credentials=None
        )

        result = await run("bash", "-c", f"{place}\n{read}\n{watch}\n{cancel}\n{read}")

    read_once, *events, cancelled, read_again = [
        line for line in result.out.replace("}{", "}\n{").splitlines() if line
    ]
    assert '"state":"ORDER_STATE_CONFIRMED"' in read_once
    assert events[0].startswith('data: {"order":{')
    assert '"state":"ORDER_STATE_CONFIRMED"' in events[-1]
    assert '"state":"ORDER_STATE_REFUNDED"' in cancelled
    assert '"state":"ORDER_STATE_REFUNDED"' in read_again
