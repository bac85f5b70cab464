"""How a gRPC service config is read, and how its faults are reported."""

import json
from typing import Any

import pytest
from grpc import StatusCode

from discovery.balancing.policies.p2c_peak_ewma import p2c_peak_ewma
from discovery.balancing.policies.pick_first import pick_first
from discovery.balancing.policies.round_robin import round_robin
from discovery.balancing.policies.weighted import weighted
from discovery.balancing.policy import Policy
from discovery.config.service_config import MethodConfig, ThrottleConfig, parse_service_config
from discovery.errors import InvalidServiceConfigError
from discovery.rules.hedging_policy import HedgingPolicy
from discovery.rules.retry_policy import RetryPolicy

RETRY = {
    "maxAttempts": 4,
    "initialBackoff": "0.1s",
    "maxBackoff": "2s",
    "backoffMultiplier": 1.5,
    "retryableStatusCodes": ["UNAVAILABLE", "aborted", 13],
}


def test_nothing_means_the_defaults() -> None:
    """Without a config the policy is P2C on peak EWMA, and there is no throttle."""
    config = parse_service_config(None)

    assert config.policy is p2c_peak_ewma
    assert config.throttle is None
    assert config.of_method("/a.B/C") == MethodConfig()


def test_json_text_and_a_mapping_are_read_alike() -> None:
    """A config may be JSON text or a Python mapping."""
    config = {"methodConfig": [{"name": [{"service": "a.B"}], "timeout": "1.5s"}]}

    assert parse_service_config(config) == parse_service_config(json.dumps(config))


def test_a_method_config_sets_every_field_of_a_method() -> None:
    """The standard's fields and `waits` are read."""
    config = parse_service_config(
        {
            "loadBalancingConfig": [{"unheard_of": {}}, {"round_robin": {}}],
            "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1239},
            "methodConfig": [
                {
                    "name": [{"service": "a.B", "method": "C"}],
                    "timeout": "2.5s",
                    "waitForReady": True,
                    "waits": True,
                    "retryPolicy": RETRY,
                }
            ],
        }
    )

    assert config.policy is round_robin
    assert config.throttle == ThrottleConfig(max_tokens=10, token_ratio=0.123)
    assert config.of_method("/a.B/C") == MethodConfig(
        timeout_s=2.5,
        wait_for_ready=True,
        waits=True,
        retry=RetryPolicy(
            max_attempts=4,
            initial_backoff_s=0.1,
            max_backoff_s=2.0,
            backoff_multiplier=1.5,
            codes=frozenset({StatusCode.UNAVAILABLE, StatusCode.ABORTED, StatusCode.INTERNAL}),
        ),
    )


def test_a_policy_with_a_timeout_for_each_attempt_needs_no_codes() -> None:
    """`perAttemptRecvTimeout` alone is a reason to retry, as in gRPC."""
    policy = {key: value for key, value in RETRY.items() if key != "retryableStatusCodes"}
    config = parse_service_config(
        with_method(retryPolicy={**policy, "perAttemptRecvTimeout": "2s"})
    )

    retry = config.of_method("/a.B/C").retry
    assert retry is not None
    assert (retry.attempt_timeout_s, retry.codes) == (2.0, frozenset())


@pytest.mark.parametrize("policy", [p2c_peak_ewma, round_robin, weighted, pick_first])
def test_every_policy_has_a_name(policy: Policy) -> None:
    """A policy is named after its function."""
    name = getattr(policy, "__name__", "")

    assert parse_service_config({"loadBalancingConfig": [{name: {}}]}).policy is policy


def test_the_most_specific_name_wins() -> None:
    """An entry for the method wins over one for its service, and that over one for all services."""
    config = parse_service_config(
        {
            "methodConfig": [
                {"name": [{}], "timeout": "1s"},
                {"name": [{"service": "a.B"}], "timeout": "2s"},
                {"name": [{"service": "a.B", "method": "C"}], "timeout": "3s"},
            ]
        }
    )

    timeouts_s = [config.of_method(path).timeout_s for path in ("/a.B/C", "/a.B/D", "/x.Y/Z")]
    assert timeouts_s == [3.0, 2.0, 1.0]


def test_a_hedging_policy_sets_the_least_delay_and_what_is_not_fatal() -> None:
    """`maxAttempts` above two counts as two; `hedgingDelay` is the least delay."""
    policy = {"maxAttempts": 5, "hedgingDelay": "0.5s", "nonFatalStatusCodes": ["ABORTED"]}
    config = parse_service_config(with_method(hedgingPolicy=policy))

    assert config.of_method("/a.B/C").hedging == HedgingPolicy(
        least_delay_s=0.5, non_fatal=frozenset({StatusCode.ABORTED})
    )
    at_least = parse_service_config(with_method(hedgingPolicy={"maxAttempts": 2}))
    assert at_least.of_method("/a.B/C").hedging == HedgingPolicy(least_delay_s=0.002)


def test_more_than_five_attempts_are_five() -> None:
    """gRFC A6 limits `maxAttempts` to five."""
    many = {"methodConfig": [{"name": [{}], "retryPolicy": {**RETRY, "maxAttempts": 50}}]}

    retry = parse_service_config(many).of_method("/a.B/C").retry
    assert retry is not None
    assert retry.max_attempts == 5


def with_method(**entry: Any) -> dict[str, Any]:
    """A config with one entry that applies to every method."""
    return {"methodConfig": [{"name": [{}], **entry}]}


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ("{", "line 1, column 2"),
        ("[]", "$"),
        ({"hedging": 1}, "$.hedging"),
        ({"methodConfig": {}}, "methodConfig"),
        ({"methodConfig": [7]}, "methodConfig[0]"),
        ({"methodConfig": [{"name": [{"method": "C"}]}]}, "methodConfig[0].name[0]"),
        ({"methodConfig": [{"name": [{"service": 1}]}]}, "methodConfig[0].name[0]"),
        ({"methodConfig": [{"name": [{}, {}]}]}, "methodConfig[0]"),
        (with_method(timeout=1.5), "methodConfig[0].timeout"),
        (with_method(timeout="0s"), "methodConfig[0].timeout"),
        (with_method(timeout="1m"), "methodConfig[0].timeout"),
        (with_method(waitForReady="yes"), "methodConfig[0].waitForReady"),
        (with_method(waits=1), "methodConfig[0].waits"),
        (with_method(idempotent="yes"), "methodConfig[0].idempotent"),
        (
            with_method(retryPolicy={**RETRY, "perAttemptRecvTimeout": 1}),
            "methodConfig[0].retryPolicy.perAttemptRecvTimeout",
        ),
        (with_method(hedgingPolicy={}), "methodConfig[0].hedgingPolicy.maxAttempts"),
        (
            with_method(hedgingPolicy={"maxAttempts": 1}),
            "methodConfig[0].hedgingPolicy.maxAttempts",
        ),
        (
            with_method(hedgingPolicy={"maxAttempts": 2, "hedgingDelay": 1}),
            "methodConfig[0].hedgingPolicy.hedgingDelay",
        ),
        (
            with_method(hedgingPolicy={"maxAttempts": 2, "nonFatalStatusCodes": ["OK"]}),
            "methodConfig[0].hedgingPolicy.nonFatalStatusCodes[0]",
        ),
        (with_method(hedgingPolicy={"maxAttempts": 2}, retryPolicy=RETRY), "methodConfig[0]"),
        (with_method(retryPolicy={}), "methodConfig[0].retryPolicy.backoffMultiplier"),
        (
            with_method(retryPolicy={**RETRY, "maxAttempts": 1}),
            "methodConfig[0].retryPolicy.maxAttempts",
        ),
        (
            with_method(retryPolicy={**RETRY, "backoffMultiplier": 0}),
            "methodConfig[0].retryPolicy.backoffMultiplier",
        ),
        (
            with_method(retryPolicy={**RETRY, "retryableStatusCodes": []}),
            "methodConfig[0].retryPolicy.retryableStatusCodes",
        ),
        (
            with_method(retryPolicy={**RETRY, "retryableStatusCodes": ["UNAVAILABLE", "OK"]}),
            "methodConfig[0].retryPolicy.retryableStatusCodes[1]",
        ),
        ({"loadBalancingConfig": [{"grpclb": {}}]}, "loadBalancingConfig"),
        ({"loadBalancingConfig": []}, "loadBalancingConfig"),
        ({"loadBalancingConfig": ["round_robin"]}, "loadBalancingConfig[0]"),
        (
            {"loadBalancingConfig": [{"round_robin": {"x": 1}}]},
            "loadBalancingConfig[0].round_robin.x",
        ),
        ({"bulkhead": {"maxCalls": 1}}, "bulkhead.maxQueued"),
        ({"bulkhead": {"maxCalls": 0, "maxQueued": 1}}, "bulkhead.maxCalls"),
        ({"bulkhead": {"maxCalls": 1, "maxQueued": -1}}, "bulkhead.maxQueued"),
        ({"retryThrottling": {"maxTokens": 10}}, "retryThrottling.tokenRatio"),
        (
            {"retryThrottling": {"maxTokens": 1001, "tokenRatio": 1}},
            "retryThrottling.maxTokens",
        ),
    ],
)
def test_an_unknown_or_wrong_value_is_refused_with_its_place(config: Any, place: str) -> None:
    """Nothing in a config is silently ignored."""
    with pytest.raises(InvalidServiceConfigError) as refused:
        parse_service_config(config)

    assert refused.value.place == place
