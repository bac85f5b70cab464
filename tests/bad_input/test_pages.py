"""Page tokens and sizes that a caller made up, for every list that is served."""

import base64
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from tests.support.bad_input.all_tables import TABLES
from tests.support.bad_input.kinds import MAX_INT32, MAX_INT64, OVERSIZED
from tests.support.bad_input.leaks import leaks
from tests.support.chassis.rich_status import read, refusal
from tests.support.suite.suite_in_process import Rpc, Suite

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZED = [
    name for name, table in TABLES.items() if "page_size" in table.kinds and not table.not_served
]
# Nothing is unfinished here, so nobody gets a token of ListSagas; its key is that of ListOrders.
TURNED = [name for name in SIZED if "page_token" in TABLES[name].kinds and "Saga" not in name]
MAX_PAGE = 1_000
HASH_BYTES = 8
FORGED_KEYS = (
    *(b"", b"[", b"{}", b"null", b"7", b"[[]]", b"[{}]", b"[true]", b"[1.5]", b"[NaN]", b"[1e999]"),
    *(b"[]", b"[1]", b'["x"]', b'[1,"x"]', b'["x",1]', b'[1,"x",2]'),
    *(b'["\\ud800"]', b'[1,"\\ud800"]', b'["\\u0000"]', b'[1,"\\u0000"]', b'[1,"\xff"]'),
    *(b"[%d]" % (MAX_INT64 + 1), b'[-%d,"x"]' % (MAX_INT64 + 2), b"[" + b"9" * 5_000 + b"]"),
    *(b'["%s"]' % OVERSIZED.encode(), b"[" * 5_000 + b"]" * 5_000),
)


async def arguments(suite: Suite, name: str) -> dict[str, Any]:
    """What selects at least two rows of the list."""
    if "order_id" not in TABLES[name].good:
        return {}
    orders = suite.rpc("OrderService/ListOrders")
    return {"order_id": rows(orders, await suite.call(orders, orders.request({})))[0].order_id}


def rows(rpc: Rpc, page: Message) -> Sequence[Any]:
    """What a page holds: its one repeated field."""
    (field,) = (each for each in rpc.method.output_type.fields if each.is_repeated)
    found: Sequence[Any] = getattr(page, field.name)
    return found


async def token_of(suite: Suite, name: str, selected: Mapping[str, Any]) -> str:
    """The token of the second page of one row."""
    rpc = suite.rpc(name)
    page: Any = await suite.call(rpc, rpc.request({**selected, "page_size": 1}))
    assert page.next_page_token
    return str(page.next_page_token)


@pytest.mark.parametrize("name", SIZED)
async def test_a_huge_page_is_a_page(suite: Suite, name: str) -> None:
    """More than the cap is the cap, not an error (AIP-158)."""
    rpc, selected = suite.rpc(name), await arguments(suite, name)

    page = await suite.call(rpc, rpc.request({**selected, "page_size": MAX_INT32}))

    assert len(rows(rpc, page)) <= MAX_PAGE
    assert name not in TURNED or len(rows(rpc, page)) > 1


@pytest.mark.parametrize(("name", "other"), [*pairwise(TURNED), (TURNED[-1], TURNED[0])])
async def test_a_token_of_another_list_is_refused(suite: Suite, name: str, other: str) -> None:
    """A token belongs to the list that made it."""
    foreign = await token_of(suite, other, await arguments(suite, other))
    rpc, selected = suite.rpc(name), await arguments(suite, name)

    answer = await refusal(suite.call(rpc, rpc.request({**selected, "page_token": foreign})))

    assert answer.bad_fields.keys() == {"page_token"}


@pytest.mark.parametrize("name", TURNED)
async def test_a_forged_key_crashes_nothing(suite: Suite, name: str) -> None:
    """The hash in a token is no secret: any key behind it gives a page or a refusal."""
    rpc, selected = suite.rpc(name), await arguments(suite, name)
    real = await token_of(suite, name, selected)
    seal = base64.urlsafe_b64decode(real + "=" * (-len(real) % 4))[:HASH_BYTES]
    refused = 0
    for key in FORGED_KEYS:
        forged = base64.urlsafe_b64encode(seal + key).rstrip(b"=").decode()
        try:
            await suite.call(rpc, rpc.request({**selected, "page_token": forged}))
        except grpc.aio.AioRpcError as error:
            answer = read(error)
            assert answer.bad_fields.keys() == {"page_token"}, key
            assert leaks(answer) == []
            refused += 1

    assert refused >= len(FORGED_KEYS) - 2
