"""Who gets which verdict: every RPC of every service, for every kind of caller."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio

from scripts.suite.cluster import SERVICES
from tests.contracts.test_policies import METHODS
from tests.support.identity.known_callers import KnownCallers, Metadata, service
from tests.support.identity.whole_suite import (
    ALLOWED,
    ROLES,
    expected_verdict,
    ours,
    verdict,
    whole_suite,
)
from tests.support.suite.suite_in_process import Suite

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLERS = KnownCallers()
PEERS = [*SERVICES, "edge", ""]


def caller(roles: tuple[str, ...] | None, peer: str) -> Metadata:
    """A service, or a person with these roles who calls through it."""
    return service(peer) if roles is None else CALLERS.person("paul", *roles, peer=peer)


# Each service alone; people with no role, one role and all, straight and through a service.
KINDS: list[tuple[tuple[str, ...] | None, str]] = [
    *((None, peer) for peer in PEERS),
    *(((role,), "") for role in ROLES),
    *(((role,), "order") for role in ROLES),
    ((), ""),
    ((), "order"),
    (ROLES, "edge"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Suite]:
    """All four services, each of which knows its callers."""
    async with whole_suite(tmp_path_factory.mktemp("suite"), CALLERS) as suite:
        yield suite


async def test_every_method_of_the_contracts_is_served(suite: Suite) -> None:
    """The matrix leaves no method out."""
    served = {rpc.name.replace("/", ".") for rpc in ours(suite)}
    assert served == {method.full_name for method in METHODS}
    assert {rpc.service for rpc in suite.rpcs} == set(SERVICES)


@pytest.mark.parametrize(("roles", "peer"), KINDS)
async def test_every_verdict_is_that_of_the_contract(
    suite: Suite, roles: tuple[str, ...] | None, peer: str
) -> None:
    """No service lets in whom the contract leaves out, and none refuses whom it names."""
    metadata = caller(roles, peer)
    rpcs = ours(suite)

    verdicts = await asyncio.gather(*(verdict(suite, rpc, metadata) for rpc in rpcs))

    def by_rpc(found: list[str]) -> Mapping[str, str]:
        return {f"{rpc.service} {rpc.name}": each for rpc, each in zip(rpcs, found, strict=True)}

    assert by_rpc(verdicts) == by_rpc(
        [expected_verdict(f"/{rpc.name}", roles, peer) for rpc in rpcs]
    )


async def test_health_is_for_everybody_whom_tls_lets_in(suite: Suite) -> None:
    """Health needs neither a token nor the name of a service."""
    for rpc in suite.rpcs:
        if rpc.name == "grpc.health.v1.Health/Check":
            assert await verdict(suite, rpc, service("")) == ALLOWED
