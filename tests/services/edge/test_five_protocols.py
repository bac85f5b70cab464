"""Every public method by every protocol through a real Envoy: the same answer, the same reason."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.edge.contract.contract import read
from services.edge.contract.methods import PublicMethod
from tests.support.edge.answer import Answer
from tests.support.edge.protocols import PROTOCOLS
from tests.support.edge.public_suite import PublicSuite, public_suite

pytestmark = pytest.mark.asyncio(loop_scope="module")

METHODS = pytest.mark.parametrize("method", read().methods, ids=lambda method: method.name)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def public(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PublicSuite]:
    async with public_suite(tmp_path_factory.mktemp("edge")) as public:
        yield public


@METHODS
async def test_the_same_answer_by_every_protocol(public: PublicSuite, method: PublicMethod) -> None:
    """A request has the same answer by every protocol, or fails for the same reason."""
    request = public.good(method)
    await public.until_notified()
    answers = {
        name: await call(public.edge, method, request)
        for name, call in PROTOCOLS.items()
        if _offers(name, method)
    }
    _expect_equal(answers)


@METHODS
async def test_the_same_reason_by_every_protocol(public: PublicSuite, method: PublicMethod) -> None:
    """A request that a service refuses is refused for the same reason by every protocol."""
    request = public.bad(method)
    answers = {
        name: await call(public.edge, method, request)
        for name, call in PROTOCOLS.items()
        if _offers(name, method)
    }
    _expect_equal(answers)
    assert answers["gRPC"].failed


def _offers(protocol: str, method: PublicMethod) -> bool:
    """Whether the protocol can carry the method: GET is for reads that are no streams."""
    return protocol != "Connect GET" or (method.read and not method.server_streaming)


def _expect_equal(answers: dict[str, Answer]) -> None:
    expected = answers["gRPC"]
    assert dict.fromkeys(answers, expected) == answers
