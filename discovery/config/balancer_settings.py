"""Reads the parts of a service config that are about the balancer and its connections.

    "healthCheckConfig": {"serviceName": ""},
    "ejection": {"failuresInRow": 5, "leastCalls": 10, "leastSuccess": 0.8,
                 "firstEjection": "5s", "longestEjection": "300s", "mostEjected": 0.5},
    "panic": {"below": 0.5},
    "slowStart": {"duration": "30s", "leastShare": 0.1}

These are the defaults. What is left out of an object keeps its default; `false` instead of the
object switches the rule off.
"""

from collections.abc import Mapping
from typing import Any

from discovery.balancing import health
from discovery.balancing.settings import (
    DEFAULT_EJECTION,
    DEFAULT_SETTINGS,
    DEFAULT_SLOW_START,
    BalancerSettings,
    EjectionSettings,
    SlowStartSettings,
)
from discovery.config.json_values import Entry, as_mapping, text

BALANCER_KEYS = frozenset({"healthCheckConfig", "ejection", "panic", "slowStart"})


def balancer_settings(top: Mapping[str, Any]) -> BalancerSettings:
    """The settings in a whole service config. Raises InvalidServiceConfigError."""
    return BalancerSettings(
        health_request=_health_request(top),
        ejection=_ejection(top),
        slow_start=_slow_start(top),
        panic_below=_panic_below(top),
    )


def _health_request(top: Mapping[str, Any]) -> bytes | None:
    """What the health service is asked (gRFC A17's key, which is on by default here)."""
    key = "healthCheckConfig"
    if key not in top:
        return DEFAULT_SETTINGS.health_request
    if top[key] is False:
        return None
    entry = as_mapping(top[key], key, {"serviceName"}, required=True)
    return health.request(text(entry, "serviceName", key))


def _ejection(top: Mapping[str, Any]) -> EjectionSettings | None:
    entry = Entry.of(top, "ejection")
    default = DEFAULT_EJECTION
    if entry is None:
        return None
    settings = EjectionSettings(
        failures_in_row=entry.whole_number("failuresInRow", default.failures_in_row),
        least_calls=entry.whole_number("leastCalls", default.least_calls),
        least_success=entry.part("leastSuccess", default.least_success),
        first_s=entry.seconds("firstEjection", default.first_s),
        ceiling_s=entry.seconds("longestEjection", default.ceiling_s),
        most_ejected=entry.part("mostEjected", default.most_ejected),
    )
    entry.nothing_else()
    return settings


def _slow_start(top: Mapping[str, Any]) -> SlowStartSettings | None:
    entry = Entry.of(top, "slowStart")
    if entry is None:
        return None
    settings = SlowStartSettings(
        duration_s=entry.seconds("duration", DEFAULT_SLOW_START.duration_s),
        least_share=entry.part("leastShare", DEFAULT_SLOW_START.least_share),
    )
    entry.nothing_else()
    return settings


def _panic_below(top: Mapping[str, Any]) -> float:
    entry = Entry.of(top, "panic")
    if entry is None:
        return 0.0
    below = entry.part("below", DEFAULT_SETTINGS.panic_below)
    entry.nothing_else()
    return below
