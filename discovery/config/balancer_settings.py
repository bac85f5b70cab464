"""Reads the parts of a service config that are about the balancer and its connections.

The value of each key is an object of settings, or false, which switches the rule off.
"""

from collections.abc import Mapping
from typing import Any

from discovery.balancing import health
from discovery.balancing.settings import DEFAULT_SETTINGS, BalancerSettings
from discovery.config.json_values import as_mapping, text

BALANCER_KEYS = frozenset({"healthCheckConfig"})


def balancer_settings(top: Mapping[str, Any]) -> BalancerSettings:
    """The settings in a whole service config. Raises InvalidServiceConfigError."""
    return BalancerSettings(health_request=_health_request(top))


def _health_request(top: Mapping[str, Any]) -> bytes | None:
    """What the health service is asked (gRFC A17's key, which is on by default here)."""
    key = "healthCheckConfig"
    if key not in top:
        return DEFAULT_SETTINGS.health_request
    if top[key] is False:
        return None
    entry = as_mapping(top[key], key, {"serviceName"}, required=True)
    return health.request(text(entry, "serviceName", key))
