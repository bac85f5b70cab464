"""Rules that are on by default can be changed and switched off in the service config."""

import random
from typing import Any

import grpc
import pytest
from grpc import StatusCode

from discovery.balancing.settings import BalancerSettings, EjectionSettings, SlowStartSettings
from discovery.config.service_config import ServiceConfig, parse_service_config
from discovery.errors import InvalidServiceConfigError
from discovery.rules.breaker import BreakerSettings
from discovery.rules.retry_budget import BudgetSettings, budget_of
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import Open, Refusal, Start, path, ready

KEYS = ("healthCheckConfig", "ejection", "panic", "slowStart", "breaker", "retryBudget")


def test_every_setting_of_every_rule_is_read() -> None:
    """The keys are those of docs/client.md."""
    config = parse_service_config(
        {
            "healthCheckConfig": {"serviceName": "a"},
            "ejection": {
                "failuresInRow": 6,
                "leastCalls": 11,
                "leastSuccess": 0.7,
                "firstEjection": "6s",
                "longestEjection": "60s",
                "mostEjected": 0.25,
            },
            "panic": {"below": 0.3},
            "slowStart": {"duration": "7s", "leastShare": 0.2},
            "breaker": {
                "k": 1.5,
                "leastCalls": 30,
                "mostRefused": 0.8,
                "probeEvery": "2s",
                "codes": ["INTERNAL"],
            },
            "retryBudget": {"retriesPerCall": 0.1, "reservePerSecond": 5},
        }
    )

    assert config.balancer == BalancerSettings(
        health_request=b"\x0a\x01a",
        ejection=EjectionSettings(6, 11, 0.7, 6.0, 60.0, 0.25),
        slow_start=SlowStartSettings(7.0, 0.2),
        panic_below=0.3,
    )
    assert config.breaker == BreakerSettings(1.5, 30, 0.8, 2.0, frozenset({StatusCode.INTERNAL}))
    assert config.budget == BudgetSettings(0.1, 5.0)


def test_an_empty_object_changes_nothing() -> None:
    """What is left out keeps its default."""
    config = parse_service_config({key: {} for key in KEYS if key != "healthCheckConfig"})

    assert config == ServiceConfig(methods=config.methods)


def test_false_switches_a_rule_off() -> None:
    """Each rule has an off switch."""
    config = parse_service_config(dict.fromkeys(KEYS, False))

    assert config.balancer == BalancerSettings(None, None, None, 0.0)
    assert (config.breaker, config.budget, config.breaker_codes) == (None, None, frozenset())


@pytest.mark.parametrize(
    ("config", "place"),
    [
        *(({key: True}, key) for key in KEYS),
        *(({key: {"more": 1}}, f"{key}.more") for key in KEYS),
        ({"healthCheckConfig": {}}, "healthCheckConfig.serviceName"),
        ({"healthCheckConfig": {"serviceName": 1}}, "healthCheckConfig.serviceName"),
        ({"ejection": {"failuresInRow": 0}}, "ejection.failuresInRow"),
        ({"ejection": {"leastSuccess": 1.1}}, "ejection.leastSuccess"),
        ({"ejection": {"firstEjection": 5}}, "ejection.firstEjection"),
        ({"panic": {"below": 50}}, "panic.below"),
        ({"slowStart": {"duration": "0s"}}, "slowStart.duration"),
        ({"breaker": {"codes": ["OK"]}}, "breaker.codes[0]"),
        ({"breaker": {"k": 0}}, "breaker.k"),
        ({"retryBudget": {"retriesPerCall": "20%"}}, "retryBudget.retriesPerCall"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_place(config: Any, place: str) -> None:
    """The error says where the fault is."""
    with pytest.raises(InvalidServiceConfigError) as raised:
        parse_service_config(config)

    assert raised.value.place == place


async def test_without_ejection_a_failing_instance_stays(start: Start, open_to: Open) -> None:
    """With `"ejection": false` no instance is ejected, however often it fails."""
    server = await start("a")
    channel = open_to(server, clock=ManualClock(), service_config={"ejection": False})
    server.script.extend([Refusal(StatusCode.UNAVAILABLE)] * 20)
    post = channel.unary_unary(path("Post"))
    for _ in range(20):
        with pytest.raises(grpc.aio.AioRpcError):
            await post(b"x")

    (view,) = channel.explain().instances
    assert (view.failures, view.ejected) == (20, None)


async def test_ejection_follows_its_settings(start: Start, open_to: Open) -> None:
    """Two failures in a row eject, if the config says so."""
    server = await start("a")
    config = {"ejection": {"failuresInRow": 2}}
    channel = open_to(server, clock=ManualClock(), service_config=config)
    server.script.extend([Refusal(StatusCode.UNAVAILABLE)] * 2)
    post = channel.unary_unary(path("Post"))
    for _ in range(2):
        with pytest.raises(grpc.aio.AioRpcError):
            await post(b"x")

    assert channel.explain().instances[0].ejected == "2 failures in a row"


async def test_without_panic_an_ejection_of_the_only_instance_holds(
    start: Start, open_to: Open
) -> None:
    """With `"panic": false` ejections always count."""
    server = await start("a")
    config = {"panic": False}
    channel = open_to(server, clock=ManualClock(), service_config=config)
    server.script.extend([Refusal(StatusCode.UNAVAILABLE)] * 5)
    post = channel.unary_unary(path("Post"))
    for _ in range(5):
        with pytest.raises(grpc.aio.AioRpcError):
            await post(b"x")

    assert channel.explain().instances[0].ejected
    assert not channel.explain().panic
    assert channel._balancer.pick(channel.clock.monotonic(), ()) is None


@pytest.mark.parametrize(("value", "share"), [(False, 1.0), ({"leastShare": 0.5}, 0.5)])
async def test_slow_start_follows_its_settings(
    start: Start, open_to: Open, *, value: Any, share: float
) -> None:
    """With `"slowStart": false` a new instance has its whole share at once."""
    channel = open_to(await start("a"), clock=ManualClock(), service_config={"slowStart": value})
    await ready(channel, 1)

    assert channel.explain().instances[0].share == share


def test_a_budget_that_is_off_pays_for_everything() -> None:
    """Retries are counted all the same."""
    budget = budget_of(None)

    assert all(budget.withdraw(1.0, reserve=bool(number % 2)) for number in range(1000))
    assert budget.spent == 1000


async def test_a_channel_explains_that_its_budget_is_off(start: Start, open_to: Open) -> None:
    """`retries_allowed` is None."""
    channel = open_to(await start("a"), service_config={"retryBudget": False}, rng=random.Random(7))

    assert channel.explain().retries_allowed is None
