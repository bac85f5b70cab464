"""Reads a gRPC service config in the standard JSON; what it leaves out keeps its default.

{"loadBalancingConfig": [{"p2c_peak_ewma": {}}],
 "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
 "bulkhead": {"maxCalls": 100, "maxQueued": 50},
 "methodConfig": [{"name": [{"service": "tradepost.order.v1.OrderService", "method": "GetOrder"}],
                   "timeout": "2.5s", "waitForReady": true, "waits": false, "idempotent": false,
                   "retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.05s",
                                   "maxBackoff": "1s", "backoffMultiplier": 2,
                                   "perAttemptRecvTimeout": "0.5s",
                                   "retryableStatusCodes": ["UNAVAILABLE"]}}]}

or, instead of the retryPolicy (the default retries then apply),
                   "hedgingPolicy": {"maxAttempts": 2, "hedgingDelay": "0.005s",
                                     "nonFatalStatusCodes": ["UNAVAILABLE"]}

The policies are p2c_peak_ewma (the default), round_robin, weighted and pick_first. Rules that are
on without being asked for have a key each, whose value is an object with the settings to change, or
false to switch the rule off: `healthCheckConfig`, `ejection`, `panic`, `slowStart`
(`discovery.config.balancer_settings`), `breaker` and `retryBudget` (`call_settings` there).

This package's own are also `bulkhead` (`discovery.rules.bulkhead`) and two keys of a method.
`waits` is for a method whose answer takes as long as something other than the instance, so that its
latency says nothing about the instance; without it, the contract's policy decides
(`discovery.rules.contract`). `idempotent` says of methods whose contract states no
`idempotency_level` that they may be sent twice. Without one of the two, a retryPolicy or
hedgingPolicy holds only for calls that were not sent, and a log line says so at the method's first
use. Nothing is passed to C-core, and nothing is silently ignored: an unknown key or a
wrong value raises InvalidServiceConfigError, which says where it is.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import grpc

from discovery.balancing.policies.p2c_peak_ewma import p2c_peak_ewma
from discovery.balancing.policies.table import POLICIES
from discovery.balancing.policy import Policy
from discovery.balancing.settings import DEFAULT_SETTINGS, BalancerSettings
from discovery.config.balancer_settings import BALANCER_KEYS, balancer_settings
from discovery.config.call_settings import CALL_KEYS, breaker_settings, budget_settings
from discovery.config.json_values import (
    above_zero,
    as_list,
    as_mapping,
    boolean,
    seconds,
    status_codes,
    whole_number,
)
from discovery.errors import InvalidServiceConfigError
from discovery.rules.breaker import DEFAULT_BREAKER, BreakerSettings
from discovery.rules.bulkhead import BulkheadConfig
from discovery.rules.hedging_policy import HedgingPolicy
from discovery.rules.retry_budget import DEFAULT_BUDGET, BudgetSettings, Throttle
from discovery.rules.retry_policy import MAX_ATTEMPTS_CAP, RetryPolicy

_MIN_ATTEMPTS = 2
_MAX_TOKENS = 1000


@dataclass(frozen=True, slots=True)
class MethodConfig:
    """What a service config says about a method; None: it says nothing."""

    timeout_s: float | None = None
    retry: RetryPolicy | None = None
    wait_for_ready: bool | None = None
    idempotent: bool = False
    waits: bool | None = None
    hedging: HedgingPolicy | None = None
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ThrottleConfig:
    """gRFC A6's retryThrottling.

    Off by default: when one of three instances dies, the usual 10 tokens are soon spent.
    """

    max_tokens: float
    token_ratio: float

    def make(self) -> Throttle:
        """Make a throttle that has all its tokens."""
        return Throttle(max_tokens=self.max_tokens, token_ratio=self.token_ratio)


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """The balancing policy, and what is configured for methods by (service, method) name.

    An empty method name stands for all methods of the service, an empty service for all services.
    """

    policy: Policy = p2c_peak_ewma
    methods: Mapping[tuple[str, str], MethodConfig] = field(
        default_factory=lambda: MappingProxyType({})
    )
    throttle: ThrottleConfig | None = None
    balancer: BalancerSettings = DEFAULT_SETTINGS
    breaker: BreakerSettings | None = DEFAULT_BREAKER
    budget: BudgetSettings | None = DEFAULT_BUDGET
    bulkhead: BulkheadConfig | None = None

    @property
    def breaker_codes(self) -> frozenset[grpc.StatusCode]:
        """The codes that the breakers count as failures; none if they are switched off."""
        return frozenset() if self.breaker is None else self.breaker.codes

    def of_method(self, path: str) -> MethodConfig:
        """The most specific entry for the method at "/package.Service/Method"."""
        service, _, method = path.removeprefix("/").partition("/")
        for name in ((service, method), (service, ""), ("", "")):
            found = self.methods.get(name)
            if found is not None:
                return found
        return MethodConfig()


def parse_service_config(config: str | Mapping[str, Any] | None) -> ServiceConfig:
    """Read a service config from JSON text or a mapping of the same shape; None: the defaults.

    Raises InvalidServiceConfigError with the path of the fault, such as "methodConfig[0].timeout".
    """
    if config is None:
        return ServiceConfig()
    if isinstance(config, str):
        try:
            config = json.loads(config)
        except json.JSONDecodeError as error:
            place = f"line {error.lineno}, column {error.colno}"
            raise InvalidServiceConfigError(place, error.msg) from error
    top = as_mapping(
        config,
        "$",
        {
            "loadBalancingConfig",
            "methodConfig",
            "retryThrottling",
            "bulkhead",
            *BALANCER_KEYS,
            *CALL_KEYS,
        },
    )
    policy: Policy = p2c_peak_ewma
    if "loadBalancingConfig" in top:
        policy = _policy(top["loadBalancingConfig"], "loadBalancingConfig")
    methods: dict[tuple[str, str], MethodConfig] = {}
    for index, entry in enumerate(as_list(top.get("methodConfig", []), "methodConfig")):
        place = f"methodConfig[{index}]"
        names, method_config = _method_config(entry, place)
        for name in names:
            if name in methods:
                raise InvalidServiceConfigError(place, f"{'/'.join(name)!r} is configured twice")
            methods[name] = method_config
    throttle = _throttle(top["retryThrottling"]) if "retryThrottling" in top else None
    bulkhead = _bulkhead(top["bulkhead"]) if "bulkhead" in top else None
    return ServiceConfig(
        policy,
        MappingProxyType(methods),
        throttle=throttle,
        balancer=balancer_settings(top),
        breaker=breaker_settings(top),
        budget=budget_settings(top),
        bulkhead=bulkhead,
    )


def _bulkhead(value: object) -> BulkheadConfig:
    place = "bulkhead"
    entry = as_mapping(value, place, {"maxCalls", "maxQueued"}, required=True)
    return BulkheadConfig(
        max_calls=whole_number(entry, "maxCalls", place, least=1),
        max_queued=whole_number(entry, "maxQueued", place, least=0),
    )


def _throttle(value: object) -> ThrottleConfig:
    place = "retryThrottling"
    entry = as_mapping(value, place, {"maxTokens", "tokenRatio"}, required=True)
    max_tokens = above_zero(entry, "maxTokens", place)
    if max_tokens > _MAX_TOKENS:
        raise InvalidServiceConfigError(f"{place}.maxTokens", f"at most {_MAX_TOKENS}")
    # gRFC A6: decimals beyond the third are ignored.
    token_ratio = int(above_zero(entry, "tokenRatio", place) * 1000) / 1000
    return ThrottleConfig(max_tokens, token_ratio)


def _policy(value: object, place: str) -> Policy:
    """The first policy of the list whose name is known; gRPC chooses in the same way."""
    for index, entry in enumerate(as_list(value, place)):
        inner = f"{place}[{index}]"
        if not isinstance(entry, Mapping) or len(entry) != 1:
            raise InvalidServiceConfigError(inner, "expected an object with one policy's name")
        (name, settings), *_ = entry.items()
        if name in POLICIES:
            as_mapping(settings, f"{inner}.{name}", set())
            return POLICIES[name]
    raise InvalidServiceConfigError(place, f"no known policy; there are {', '.join(POLICIES)}")


def _method_config(value: object, place: str) -> tuple[list[tuple[str, str]], MethodConfig]:
    entry = as_mapping(
        value,
        place,
        {
            *("name", "timeout", "retryPolicy", "hedgingPolicy", "waitForReady"),
            *("idempotent", "waits"),
        },
    )
    names = [
        _name(name, f"{place}.name[{index}]")
        for index, name in enumerate(as_list(entry.get("name", []), f"{place}.name"))
    ]
    retry, hedging = entry.get("retryPolicy"), entry.get("hedgingPolicy")
    if retry is not None and hedging is not None:
        raise InvalidServiceConfigError(place, "either retryPolicy or hedgingPolicy (gRFC A6)")
    wait_for_ready = entry.get("waitForReady")
    return names, MethodConfig(
        timeout_s=seconds(entry, "timeout", place) if "timeout" in entry else None,
        retry=None if retry is None else _retry(retry, f"{place}.retryPolicy"),
        wait_for_ready=(
            None if wait_for_ready is None else boolean(wait_for_ready, f"{place}.waitForReady")
        ),
        idempotent=boolean(entry.get("idempotent", False), f"{place}.idempotent"),
        waits=boolean(entry["waits"], f"{place}.waits") if "waits" in entry else None,
        hedging=None if hedging is None else _hedging(hedging, f"{place}.hedgingPolicy"),
        place=place,
    )


def _name(value: object, place: str) -> tuple[str, str]:
    name = as_mapping(value, place, {"service", "method"})
    service, method = name.get("service", ""), name.get("method", "")
    if not isinstance(service, str) or not isinstance(method, str):
        raise InvalidServiceConfigError(place, "service and method are text")
    if method and not service:
        raise InvalidServiceConfigError(place, "a method without its service")
    return service, method


def _retry(value: object, place: str) -> RetryPolicy:
    required = {"maxAttempts", "initialBackoff", "maxBackoff", "backoffMultiplier"}
    limit = "perAttemptRecvTimeout"
    policy = as_mapping(value, place, required | {"retryableStatusCodes", limit})
    # With a timeout for each attempt a policy needs no codes, as in gRPC.
    missing = (required if limit in policy else required | {"retryableStatusCodes"}) - set(policy)
    if missing:
        raise InvalidServiceConfigError(f"{place}.{min(missing)}", "missing")
    attempts = whole_number(policy, "maxAttempts", place, least=_MIN_ATTEMPTS)
    listed = "retryableStatusCodes" in policy
    codes = status_codes(policy, "retryableStatusCodes", place) if listed else frozenset()
    if not codes and limit not in policy:
        raise InvalidServiceConfigError(f"{place}.retryableStatusCodes", "expected at least one")
    return RetryPolicy(
        max_attempts=min(attempts, MAX_ATTEMPTS_CAP),
        initial_backoff_s=seconds(policy, "initialBackoff", place),
        max_backoff_s=seconds(policy, "maxBackoff", place),
        backoff_multiplier=above_zero(policy, "backoffMultiplier", place),
        codes=codes,
        attempt_timeout_s=seconds(policy, limit, place) if limit in policy else None,
    )


def _hedging(value: object, place: str) -> HedgingPolicy:
    """A6's policy, with at most two attempts; `hedgingDelay` is a lower bound of the delay."""
    policy = as_mapping(value, place, {"maxAttempts", "hedgingDelay", "nonFatalStatusCodes"})
    if "maxAttempts" not in policy:
        raise InvalidServiceConfigError(f"{place}.maxAttempts", "missing")
    whole_number(policy, "maxAttempts", place, least=_MIN_ATTEMPTS)
    default = HedgingPolicy()
    delay_s = seconds(policy, "hedgingDelay", place) if "hedgingDelay" in policy else 0.0
    return HedgingPolicy(
        least_delay_s=max(delay_s, default.least_delay_s),
        non_fatal=(
            status_codes(policy, "nonFatalStatusCodes", place)
            if "nonFatalStatusCodes" in policy
            else default.non_fatal
        ),
    )
