"""Consul's rules for blocking queries, with a scripted agent."""

import asyncio
import random
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import pytest

from discovery.registry.consul.client import Answer
from discovery.registry.consul.health_endpoint import Freshness, HealthEndpoint
from discovery.registry.consul.watch import watch_instances
from discovery.registry.instance import Instance
from discovery.registry.protocols import RegistryError
from tests.support.clock.manual_clock import ManualClock

WAIT_S = 55.0


def entry(instance_id: str, **service: Any) -> dict[str, Any]:
    """One element of a health answer, in the form of Consul 1.8."""
    checks = [{"Status": "passing"}, *service.pop("checks", [])]
    return {
        "Node": {"Node": service.pop("node", "alpha"), "Address": "10.0.0.9"},
        "Service": {
            "ID": instance_id,
            "Service": "order",
            "Tags": None,
            "Address": "10.0.0.1",
            "Meta": None,
            "Port": 50051,
            "Weights": {"Passing": 1, "Warning": 1},
            **service,
        },
        "Checks": checks,
    }


def answer(index: object, *entries: dict[str, Any], **headers: str) -> Answer:
    """An answer of the health endpoint; header names have underscores."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Answer(list(entries), {"X-Consul-Index": str(index), **named})


@dataclass
class ScriptedAgent:
    """Gives the answers of its script in order, then blocks like an agent without changes."""

    script: list[Answer]
    asked: list[dict[str, str | int]] = field(default_factory=list)
    asked_at_s: list[float] = field(default_factory=list)
    timeouts_s: list[float] = field(default_factory=list)
    observed: list[Freshness] = field(default_factory=list)
    clock: ManualClock = field(default_factory=ManualClock)

    async def get(
        self, path: str, params: list[tuple[str, str | int]], *, timeout_s: float
    ) -> Answer:
        assert path == "/v1/health/service/order"
        self.asked.append(dict(params))
        self.timeouts_s.append(timeout_s)
        self.asked_at_s.append(self.clock.monotonic())
        if not self.script:
            await asyncio.get_running_loop().create_future()
        return self.script.pop(0)

    def watch(self, tag: str | None = None) -> AsyncGenerator[tuple[Instance, ...], None]:
        return watch_instances(
            HealthEndpoint(self, "order", tag=tag),
            clock=self.clock,
            rng=random.Random(1),
            wait_s=WAIT_S,
            observe=self.observed.append,
        )

    async def play(self, tag: str | None = None) -> list[list[str]]:
        """Play the whole script; return the ids of each yielded list."""
        yielded: list[list[str]] = []

        async def follow() -> None:
            async for instances in self.watch(tag):
                ids = [instance.instance_id for instance in instances]
                yielded.append(ids)

        following = asyncio.create_task(follow())
        await self.clock.advance(60)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        return yielded


async def test_the_first_query_does_not_block() -> None:
    """The first query returns at once; the next one waits for a change after its index."""
    agent = ScriptedAgent([answer(17, entry("order-a"))])
    assert await agent.play() == [["order-a"]]
    first, second = agent.asked
    assert first == {"stale": ""}
    assert second.keys() == {"stale", "index", "wait"}
    assert second["index"] == 17


async def test_a_query_times_out_later_than_the_agent() -> None:
    """A query asks for at most 55 s; the agent may add a sixteenth, and its timeout is longer."""
    agent = ScriptedAgent([answer(n, entry("order-a")) for n in range(5, 20)])
    await agent.play()
    for asked, timeout_s in zip(agent.asked[1:], agent.timeouts_s[1:], strict=True):
        wait_s = int(str(asked["wait"]).removesuffix("ms")) / 1000
        assert 0.9 * WAIT_S <= wait_s <= WAIT_S
        assert timeout_s > wait_s * 17 / 16 + 2


async def test_watches_do_not_wait_in_step() -> None:
    """A change wakes all watches at once, so each waits for a different time afterwards."""
    agent = ScriptedAgent([answer(n, entry("order-a")) for n in range(5, 20)])
    await agent.play()
    waits = [asked["wait"] for asked in agent.asked[1:]]
    assert len(set(waits)) == len(waits)


async def test_a_tag_is_the_agent_s_to_filter() -> None:
    """Every query contains the tag, and the agent filters."""
    agent = ScriptedAgent([answer(17, entry("order-a"))])
    await agent.play(tag="v2")
    assert [asked["tag"] for asked in agent.asked] == ["v2", "v2"]


async def test_a_return_is_not_a_change() -> None:
    """A query that returns the same instances yields nothing."""
    agent = ScriptedAgent([answer(17, entry("order-a")), answer(18, entry("order-a"))])
    assert await agent.play() == [["order-a"]]


async def test_an_index_that_goes_backwards_starts_over() -> None:
    """After a server was restored or restarted, the next query doesn't block on the old index."""
    agent = ScriptedAgent(
        [answer(17, entry("order-a")), answer(3, entry("order-b")), answer(4, entry("order-b"))]
    )
    assert await agent.play() == [["order-a"], ["order-b"]]
    assert [asked.get("index") for asked in agent.asked] == [None, 17, None, 4]


async def test_an_index_is_at_least_1() -> None:
    """An index of 0 would make a loop that never blocks."""
    agent = ScriptedAgent([answer(0)])
    assert await agent.play() == [[]]
    assert agent.asked[1]["index"] == 1


async def test_a_churning_service_is_asked_once_a_second() -> None:
    """However fast a service changes, there are two queries at once, then one a second."""
    agent = ScriptedAgent([answer(n, entry(f"order-{n}")) for n in range(1, 100)])
    await agent.play()
    assert [round(at_s, 6) for at_s in agent.asked_at_s[:5]] == [0, 0, 1, 2, 3]
    assert len(agent.asked) <= 62


async def test_a_large_churning_service_is_asked_less_often() -> None:
    """A thousand instances that change all the time are read every 4 s, to save CPU time."""
    many = [entry(f"order-{n}") for n in range(1000)]
    agent = ScriptedAgent([answer(n, *many) for n in range(1, 100)])
    await agent.play()
    assert [round(at_s, 6) for at_s in agent.asked_at_s[:4]] == [0, 3, 7, 11]


async def test_the_freshness_of_each_answer_is_observed() -> None:
    """Each answer's server says whether and when it heard from the leader."""
    agent = ScriptedAgent(
        [
            answer(17, X_Consul_LastContact="0", X_Consul_KnownLeader="true"),
            answer(18, X_Consul_LastContact="7000", X_Consul_KnownLeader="false"),
        ]
    )
    await agent.play()
    assert agent.observed == [Freshness(), Freshness(last_contact_ms=7000, known_leader=False)]


async def test_an_instance_without_an_address_is_at_its_node() -> None:
    """A service registered without an address is dialled at its node's."""
    agent = ScriptedAgent([answer(17, entry("order-a", Address=""))])
    (instance,) = await anext(agent.watch())
    assert instance.endpoint == "10.0.0.9:50051"


async def test_weights_and_meta_are_read() -> None:
    """The weight is that of a passing check; the incarnation is no ordinary meta entry."""
    weights = {"Passing": 7, "Warning": 1}
    meta = {"version": "1.4.0", "incarnation": "x1"}
    agent = ScriptedAgent([answer(17, entry("order-a", Weights=weights, Meta=meta, Tags=["v2"]))])
    (instance,) = await anext(agent.watch())
    assert (instance.weight, instance.incarnation) == (7, "x1")
    assert (dict(instance.meta), instance.tags) == ({"version": "1.4.0"}, ("v2",))


MAINTENANCE = {"CheckID": "_service_maintenance:order-b", "Type": "maintenance", "Output": ""}
RAN = {"CheckID": "service:order-b", "Type": "grpc", "Output": "context deadline exceeded"}
NOT_RUN = {"CheckID": "service:order-b", "Type": "grpc", "Output": ""}
TTL = {"CheckID": "service:order-b", "Type": "ttl", "Output": ""}
AGENT = {"CheckID": "serfHealth", "Type": "", "Output": "Agent not live or unreachable"}


@pytest.mark.parametrize(
    ("checks", "usable"),
    [
        ([MAINTENANCE], False),
        ([RAN], None),
        ([TTL], False),
        ([NOT_RUN, MAINTENANCE], False),
        ([AGENT, RAN], None),
        ([NOT_RUN], None),
        ([AGENT], None),
        ([AGENT, NOT_RUN], None),
    ],
)
@pytest.mark.parametrize("status", ["warning", "critical"])
async def test_an_instance_whose_checks_do_not_pass(
    checks: list[dict[str, str]], status: str, *, usable: bool | None
) -> None:
    """It is listed as not usable if it was taken out, and left out (None) if a check fails.

    A check that fails may be that of the process before, so callers that are connected decide.
    """
    failing = [{**check, "Status": status} for check in checks]
    agent = ScriptedAgent([answer(17, entry("order-a"), entry("order-b", checks=failing))])

    listed = await anext(agent.watch())

    states = {instance.instance_id: instance.usable for instance in listed}
    assert states == {"order-a": True, **({} if usable is None else {"order-b": usable})}


async def test_instances_that_all_fail_are_left_out() -> None:
    """If no instance passes, only one that was taken out is listed, as not usable."""
    failing = [{**RAN, "Status": "critical"}]
    out = [{**MAINTENANCE, "Status": "critical"}]
    agent = ScriptedAgent(
        [answer(17, entry("order-a", checks=failing), entry("order-b", checks=out))]
    )

    listed = await anext(agent.watch())

    assert [(one.instance_id, one.usable) for one in listed] == [("order-b", False)]


async def test_what_did_not_change_is_not_read_again() -> None:
    """If one of many instances changed, the others are the same objects as before."""
    agent = ScriptedAgent(
        [
            answer(17, entry("order-a"), entry("order-b")),
            answer(18, entry("order-a"), entry("order-b", Port=50052)),
        ]
    )
    lists = agent.watch()
    before, after = await anext(lists), await anext(lists)
    assert before[0] is after[0]
    assert (before[1].port, after[1].port) == (50051, 50052)


async def test_two_agents_may_use_one_id() -> None:
    """An id is unique within an agent only; if two use it, the node's name is added."""
    agent = ScriptedAgent(
        [
            answer(
                17,
                entry("order-a", node="beta"),
                entry("order-a", node="alpha"),
                entry("order-b"),
            )
        ]
    )
    assert await agent.play() == [["order-a@alpha", "order-a@beta", "order-b"]]


@pytest.mark.parametrize(
    "nonsense",
    [
        Answer([], {}),
        Answer([], {"X-Consul-Index": "soon"}),
        Answer(None, {"X-Consul-Index": "17"}),
        Answer([{"Service": {}}], {"X-Consul-Index": "17"}),
        Answer([], {"X-Consul-Index": "17", "X-Consul-Results-Filtered-By-ACLs": "true"}),
    ],
)
async def test_nonsense_is_an_error_and_no_list(nonsense: Answer) -> None:
    """An answer without an index or instances, or filtered by ACLs, is an error."""
    with pytest.raises(RegistryError):
        await anext(ScriptedAgent([nonsense]).watch())
