"""The balancing policies that a service config can name."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from discovery.balancing.policy import Policy

# A policy's name is the name of its module here and of the function in that module.
NAMES = (
    "p2c_peak_ewma",
    "round_robin",
    "weighted",
    "pick_first",
)


def _policy(name: str) -> Policy:
    policy: Policy = getattr(import_module(f"discovery.balancing.policies.{name}"), name)
    return policy


POLICIES: Mapping[str, Policy] = MappingProxyType({name: _policy(name) for name in NAMES})
