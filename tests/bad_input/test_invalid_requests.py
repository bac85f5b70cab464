"""Invalid requests to every method: the status, every bad field, and no effect."""

import grpc
import pytest
from google.protobuf.message import Message

from services.chassis.server.assembly import MAX_REQUEST_BYTES
from tests.support.bad_input.all_cases import CASES
from tests.support.bad_input.bad_values import REASON, REASON_MAX
from tests.support.bad_input.leaked_internals import has_one_reason, leaked_internals
from tests.support.bad_input.method_cases import Code
from tests.support.chassis.rich_status import Refusal, refusal
from tests.support.suite.suite_in_process import Rpc, Suite

pytestmark = pytest.mark.asyncio(loop_scope="session")

INVALID_METADATA = (
    ("tradepost-correlation-id", "x" * 2_000),
    ("traceparent", "00-00000000000000000000000000000000-0000000000000000-zz"),
    ("tracestate", "=,=,"),
    ("x-discovery-attempt", "9" * 100),
    ("grpc-previous-rpc-attempts", "many"),
)
EACH_METHOD = pytest.mark.parametrize("name", CASES)


async def refused(suite: Suite, rpc: Rpc, request: Message) -> Refusal:
    """Return how the request is refused; check that it had no effect and reveals no internals."""
    before = suite.positions()
    answer = await refusal(suite.call(rpc, request))
    assert suite.positions() == before
    assert has_one_reason(answer, rpc.service), answer
    assert leaked_internals(answer) == []
    return answer


async def test_every_method_has_cases(suite: Suite) -> None:
    """Every method that is served, and every field of its request, has test cases."""
    fields = {rpc.name: {each.name for each in rpc.method.input_type.fields} for rpc in suite.rpcs}

    assert {name: set(cases.bad_values) for name, cases in CASES.items()} == fields


@EACH_METHOD
async def test_every_bad_field_is_named_at_once(suite: Suite, name: str) -> None:
    """An invalid request is refused with INVALID_ARGUMENT, which names exactly the bad fields."""
    for rpc in (each for each in suite.rpcs if each.name == name):
        for invalid in CASES[name].invalid_requests():
            answer = await refused(suite, rpc, rpc.request(invalid.fields))
            assert answer.code is Code.INVALID_ARGUMENT, invalid
            assert answer.reason == "INVALID_REQUEST", invalid
            assert answer.bad_fields.keys() == invalid.bad_paths


@pytest.mark.parametrize(
    "name", [name for name, cases in CASES.items() if cases.bad_values.get("reason")]
)
async def test_every_method_takes_the_same_reasons(suite: Suite, name: str) -> None:
    """The longest reason is as long everywhere; what can't be seen is none anywhere."""
    assert set(REASON) <= set(CASES[name].bad_values["reason"])

    longest = {**CASES[name].valid, "reason": "x" * REASON_MAX, "request_id": ""}
    for rpc in (each for each in suite.rpcs if each.name == name):
        answer = await refused(suite, rpc, rpc.request(longest))
        assert answer.bad_fields.keys() == {"request_id"}


@EACH_METHOD
async def test_a_well_formed_request_is_refused_as_documented(suite: Suite, name: str) -> None:
    """A well-formed request that cannot be served is refused with the contract's reason."""
    cases = CASES[name]
    for rpc in (each for each in suite.rpcs if each.name == name):
        for case in cases.refused:
            answer = await refused(suite, rpc, rpc.request({**cases.valid, **case.changes}))
            assert (answer.code, answer.reason) == (case.code, case.reason)
        if cases.not_served:
            answer = await refused(suite, rpc, rpc.request({}))
            assert (answer.code, answer.reason) == (Code.UNIMPLEMENTED, "NOT_IMPLEMENTED")


@EACH_METHOD
async def test_malformed_bytes_are_refused(suite: Suite, name: str) -> None:
    """Truncated bytes, a wrong wire type and text that is not UTF-8 are MALFORMED_MESSAGE."""
    for rpc in (each for each in suite.rpcs if each.name == name):
        for garbage in (b"\xff\xff\xff", b"\x0a\xff", b"\x0b", *_invalid_utf8(rpc)):
            before = suite.positions()
            answer = await refusal(suite.send(rpc, garbage))
            assert (answer.code, answer.reason) == (Code.INVALID_ARGUMENT, "MALFORMED_MESSAGE")
            assert suite.positions() == before
            assert leaked_internals(answer) == []


@EACH_METHOD
async def test_metadata_that_is_too_large_is_refused(suite: Suite, name: str) -> None:
    """gRPC itself refuses metadata that is too large, before it reads the request."""
    for rpc in (each for each in suite.rpcs if each.name == name):
        before = suite.positions()
        answer = await refusal(suite.send(rpc, b"", (("x-padding", "x" * 100_000),)))
        assert answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert suite.positions() == before
        assert leaked_internals(answer) == []


@EACH_METHOD
async def test_invalid_metadata_is_ignored(suite: Suite, name: str) -> None:
    """Invalid correlation, trace and retry metadata does not change the answer."""
    for rpc in (each for each in suite.rpcs if each.name == name):
        invalid = next(CASES[name].invalid_requests(), None)
        if invalid is None:
            continue
        request = rpc.request(invalid.fields).SerializeToString()
        plain = await refusal(suite.send(rpc, request))
        odd = await refusal(suite.send(rpc, request, INVALID_METADATA))
        assert (odd.code, odd.reason, odd.bad_fields) == (
            plain.code,
            plain.reason,
            plain.bad_fields,
        )


@pytest.mark.parametrize("name", ["/CreateOrder", "/AuthorizePayment", "/UpsertItems"])
async def test_a_message_that_is_too_large_is_refused(suite: Suite, name: str) -> None:
    """gRPC itself refuses a request of more than 4 MiB."""
    rpc, before = suite.rpc(name), suite.positions()

    answer = await refusal(suite.send(rpc, bytes(MAX_REQUEST_BYTES + 1)))

    assert answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert suite.positions() == before
    assert leaked_internals(answer) == []


def _invalid_utf8(rpc: Rpc) -> list[bytes]:
    """Make requests with a lone surrogate, an overlong NUL or Latin-1 in one text field."""
    texts = [each for each in rpc.method.input_type.fields if each.type == each.TYPE_STRING]
    return [
        bytes([each.number << 3 | 2, len(text)]) + text
        for each in texts
        for text in (b"\xed\xa0\x80", b"\xc0\x80", b"caf\xe9")
    ]
