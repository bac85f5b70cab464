"""Every bad request of the tables: its status, all that is wrong with it, and no effect."""

import grpc
import pytest
from google.protobuf.message import Message

from services.chassis.server.assembly import MAX_REQUEST_BYTES
from tests.support.bad_input.all_tables import TABLES
from tests.support.bad_input.leaks import is_ours, leaks
from tests.support.bad_input.table import Code
from tests.support.chassis.rich_status import Refusal, refusal
from tests.support.suite.suite_in_process import Rpc, Suite

pytestmark = pytest.mark.asyncio(loop_scope="session")

NONSENSE = (
    ("tradepost-correlation-id", "x" * 2_000),
    ("traceparent", "00-00000000000000000000000000000000-0000000000000000-zz"),
    ("tracestate", "=,=,"),
    ("x-discovery-attempt", "9" * 100),
    ("grpc-previous-rpc-attempts", "many"),
)
EACH_METHOD = pytest.mark.parametrize("name", TABLES)


async def refused(suite: Suite, rpc: Rpc, request: Message) -> Refusal:
    """How the request is refused, which must leave everything as it was and tell no secrets."""
    before = suite.positions()
    answer = await refusal(suite.call(rpc, request))
    assert suite.positions() == before
    assert is_ours(answer, rpc.service), answer
    assert leaks(answer) == []
    return answer


async def test_every_method_has_a_table(suite: Suite) -> None:
    """No method is served, and no field added, without somebody saying what is wrong there."""
    fields = {rpc.name: {each.name for each in rpc.method.input_type.fields} for rpc in suite.rpcs}

    assert {name: set(table.kinds) for name, table in TABLES.items()} == fields


@EACH_METHOD
async def test_everything_wrong_is_named_at_once(suite: Suite, name: str) -> None:
    """INVALID_ARGUMENT names each bad field and no other; UNIMPLEMENTED is never in doubt."""
    for rpc in (each for each in suite.rpcs if each.name == name):
        for row in TABLES[name].rows():
            answer = await refused(suite, rpc, rpc.request(row.request))
            assert (answer.code, answer.reason) == (Code.INVALID_ARGUMENT, "INVALID_REQUEST"), row
            assert answer.bad_fields.keys() == row.named


@EACH_METHOD
async def test_what_is_well_formed_but_impossible_is_refused_as_documented(
    suite: Suite, name: str
) -> None:
    """Each with the code and the reason that the contract names."""
    table = TABLES[name]
    for rpc in (each for each in suite.rpcs if each.name == name):
        for each in table.refused:
            answer = await refused(suite, rpc, rpc.request({**table.good, **each.changes}))
            assert (answer.code, answer.reason) == (each.code, each.reason)
        if table.not_served:
            answer = await refused(suite, rpc, rpc.request({}))
            assert (answer.code, answer.reason) == (Code.UNIMPLEMENTED, "NOT_IMPLEMENTED")


@EACH_METHOD
async def test_bytes_that_are_no_message_are_refused(suite: Suite, name: str) -> None:
    """Cut off, of the wrong wire type, or text that isn't UTF-8 (a lone surrogate, for one)."""
    for rpc in (each for each in suite.rpcs if each.name == name):
        for garbage in (b"\xff\xff\xff", b"\x0a\xff", b"\x0b", *_no_texts(rpc)):
            before = suite.positions()
            answer = await refusal(suite.send(rpc, garbage))
            assert (answer.code, answer.reason) == (Code.INVALID_ARGUMENT, "MALFORMED_MESSAGE")
            assert suite.positions() == before
            assert leaks(answer) == []


@EACH_METHOD
async def test_metadata_that_is_too_large_is_refused(suite: Suite, name: str) -> None:
    """gRPC itself answers before a byte of the request is looked at."""
    for rpc in (each for each in suite.rpcs if each.name == name):
        before = suite.positions()
        answer = await refusal(suite.send(rpc, b"", (("x-padding", "x" * 100_000),)))
        assert answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert suite.positions() == before
        assert leaks(answer) == []


@EACH_METHOD
async def test_metadata_that_says_nonsense_is_ignored(suite: Suite, name: str) -> None:
    """The same refusal as without it."""
    for rpc in (each for each in suite.rpcs if each.name == name):
        if not any(TABLES[name].rows()):
            continue
        request = rpc.request(next(TABLES[name].rows()).request).SerializeToString()
        plain = await refusal(suite.send(rpc, request))
        odd = await refusal(suite.send(rpc, request, NONSENSE))
        assert (odd.code, odd.reason, odd.bad_fields) == (
            plain.code,
            plain.reason,
            plain.bad_fields,
        )


@pytest.mark.parametrize("name", ["/CreateOrder", "/AuthorizePayment", "/UpsertItems"])
async def test_a_message_that_is_too_large_is_refused(suite: Suite, name: str) -> None:
    """gRPC itself answers: a server takes 4 MiB."""
    rpc, before = suite.rpc(name), suite.positions()

    answer = await refusal(suite.send(rpc, bytes(MAX_REQUEST_BYTES + 1)))

    assert answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert suite.positions() == before
    assert leaks(answer) == []


def _no_texts(rpc: Rpc) -> list[bytes]:
    """A lone surrogate, an overlong NUL and a Latin-1 letter in every text of the request."""
    texts = [each for each in rpc.method.input_type.fields if each.type == each.TYPE_STRING]
    return [
        bytes([each.number << 3 | 2, len(text)]) + text
        for each in texts
        for text in (b"\xed\xa0\x80", b"\xc0\x80", b"caf\xe9")
    ]
