"""The commands on the pages of docs/operations, run as they are written against a running suite."""

from pathlib import Path

import pytest
from tradepost.order.v1.order_pb2 import Order

from scripts.suite.consul import free_ports
from tests.support.limits import WAIT_S
from tests.support.suite.breakable_suite import BreakableSuite
from tests.support.suite.operator_pages import addresses, commands, pages, shell
from tests.support.suite.service_process import service_process

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Its commands are those of test_restore.
RESTORE = "backup-and-restore.md"
NOT_FOUND, FAILED_PRECONDITION = 64 + 5, 64 + 9
NOTHING = "0" * 32
OF_NOTHING = {
    "ORDER_ID": f"ord_{NOTHING}",
    "PAYMENT_ID": f"pay_{NOTHING}",
    "RESERVATION_ID": f"rsv_{NOTHING}",
    "REFUND_ID": f"ref_{NOTHING}",
    "DEAD_LETTER_ID": f"dlt_{NOTHING}",
    "INSTANCE": NOTHING,
}
PAGES = [page for page in pages() if page != RESTORE and commands(page, "")]
REPAIRS = [
    line for page in pages() for line in commands(page, "repair").splitlines() if line.strip()
]


async def an_order(suite: BreakableSuite) -> Order:
    """A confirmed order."""
    request = await suite.a_request(11)
    return (await suite.stubs.orders.CreateOrder(request, timeout=WAIT_S)).order


async def environment(suite: BreakableSuite) -> dict[str, str]:
    """What every page takes for granted: the variables of the first page, and some of others."""
    slot = suite.slots("order")[0]
    return {
        **await addresses(suite.cluster),
        "ORDER_DATABASE_URL": suite.database_url("order"),
        "INSTANCE": slot.name,
        "LOGS": str(slot.log.parent),
    }


@pytest.mark.parametrize("page", PAGES)
async def test_the_commands_of_a_page_work_as_written(
    suite: BreakableSuite, tmp_path: Path, page: str
) -> None:
    """An operator who copies a page's commands, from its top to its end, sees none fail."""
    order = await an_order(suite)
    (port,) = free_ports(1)
    variables = {
        **await environment(suite),
        "ORDER_ID": order.order_id,
        "PAYMENT_ID": order.payment_id,
        "SKU": order.lines[0].sku,
        "CORRELATION_ID": "of-nobody",
        "SCRATCH": str(tmp_path),
        "SCRAPED": f"127.0.0.1:{port}",
    }
    measured = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/measured.db",
        "CONSUL_HTTP_ADDR": suite.cluster.consul.address,
        "TRADEPOST_METRICS_PORT": str(port),
    }
    # The last command may be a grep that finds nothing.
    script = f"{commands(page, '')}:\n"
    if page == "metrics.md":
        async with service_process("inventory", measured) as measuring:
            await measuring.line("serving")
            done = await shell(script, variables)
            await measuring.stop()
    else:
        done = await shell(script, variables)

    assert done.code == 0, done.err


async def test_a_repair_reaches_its_method_with_fields_that_it_has(suite: BreakableSuite) -> None:
    """A repair that is asked about nothing is refused because of that, not as malformed."""
    asked = "".join(f"{line}; echo status=$?\n" for line in REPAIRS)

    done = await shell(f"trap - ERR\n{asked}", {**await environment(suite), **OF_NOTHING})

    statuses = [int(line[7:]) for line in done.out.splitlines() if line.startswith("status=")]
    asked_in_vain = [
        line
        for line, status in zip(REPAIRS, statuses, strict=True)
        if status not in (NOT_FOUND, FAILED_PRECONDITION)
    ]
    assert asked_in_vain == [], done.err
