"""Page sizes that are too large and forged page tokens, for every list that is served."""

import base64
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from tests.support.bad_input.all_cases import CASES
from tests.support.bad_input.bad_values import MAX_INT32, MAX_INT64, OVERSIZED
from tests.support.bad_input.leaked_internals import leaked_internals
from tests.support.chassis.rich_status import read, refusal
from tests.support.suite.suite_in_process import Rpc, Suite

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZED = [
    name
    for name, cases in CASES.items()
    if "page_size" in cases.bad_values and not cases.not_served
]
# Two lists are left out, because they have no second page here: no saga is unfinished, and no
# consumer was repaired. The keys of their tokens are those of ListOrders and ListLedgerEntries.
_WITHOUT_ROWS = ("/ListSagas", "/ListAuditRecords")
PAGED = [
    name
    for name in SIZED
    if "page_token" in CASES[name].bad_values and not name.endswith(_WITHOUT_ROWS)
]
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
    """Return arguments that select at least two rows of the list."""
    if "order_id" not in CASES[name].valid:
        return {}
    orders = suite.rpc("OrderService/ListOrders")
    return {"order_id": rows(orders, await suite.call(orders, orders.request({})))[0].order_id}


def rows(rpc: Rpc, page: Message) -> Sequence[Any]:
    """Return the rows of a page: its one repeated field."""
    (field,) = (each for each in rpc.method.output_type.fields if each.is_repeated)
    found: Sequence[Any] = getattr(page, field.name)
    return found


async def token_of(suite: Suite, name: str, selected: Mapping[str, Any]) -> str:
    """Return the token of the second page, with pages of one row."""
    rpc = suite.rpc(name)
    page: Any = await suite.call(rpc, rpc.request({**selected, "page_size": 1}))
    assert page.next_page_token
    return str(page.next_page_token)


@pytest.mark.parametrize("name", SIZED)
async def test_a_huge_page_size_is_capped(suite: Suite, name: str) -> None:
    """A page size above the maximum means the maximum (AIP-158)."""
    rpc, selected = suite.rpc(name), await arguments(suite, name)

    page = await suite.call(rpc, rpc.request({**selected, "page_size": MAX_INT32}))

    assert len(rows(rpc, page)) <= MAX_PAGE
    assert name not in PAGED or len(rows(rpc, page)) > 1


@pytest.mark.parametrize(("name", "other"), [*pairwise(PAGED), (PAGED[-1], PAGED[0])])
async def test_a_token_of_another_list_is_refused(suite: Suite, name: str, other: str) -> None:
    """A token is valid only for the list that made it."""
    foreign = await token_of(suite, other, await arguments(suite, other))
    rpc, selected = suite.rpc(name), await arguments(suite, name)

    answer = await refusal(suite.call(rpc, rpc.request({**selected, "page_token": foreign})))

    assert answer.bad_fields.keys() == {"page_token"}


@pytest.mark.parametrize("name", PAGED)
async def test_a_forged_key_crashes_nothing(suite: Suite, name: str) -> None:
    """A token with a valid hash and a forged key gives a page or a refusal.

    The hash in a token is not secret, so a caller can put any key after it.
    """
    rpc, selected = suite.rpc(name), await arguments(suite, name)
    real = await token_of(suite, name, selected)
    hash_of_arguments = base64.urlsafe_b64decode(real + "=" * (-len(real) % 4))[:HASH_BYTES]
    refused = 0
    for key in FORGED_KEYS:
        forged = base64.urlsafe_b64encode(hash_of_arguments + key).rstrip(b"=").decode()
        try:
            await suite.call(rpc, rpc.request({**selected, "page_token": forged}))
        except grpc.aio.AioRpcError as error:
            answer = read(error)
            assert answer.bad_fields.keys() == {"page_token"}, key
            assert leaked_internals(answer) == []
            refused += 1

    assert refused >= len(FORGED_KEYS) - 2
