"""Reads the parts of a service config that are about all calls of a channel.

    "breaker": {"k": 2, "leastCalls": 20, "mostRefused": 0.9, "probeEvery": "1s",
                "codes": ["UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"]},
    "retryBudget": {"retriesPerCall": 0.2, "reservePerSecond": 10}

These are the defaults. What is left out of an object keeps its default; `false` instead of the
object switches the rule off.
"""

from collections.abc import Mapping
from typing import Any

from discovery.config.json_values import Entry
from discovery.rules.breaker import DEFAULT_BREAKER, BreakerSettings
from discovery.rules.retry_budget import DEFAULT_BUDGET, BudgetSettings

CALL_KEYS = frozenset({"breaker", "retryBudget"})


def breaker_settings(top: Mapping[str, Any]) -> BreakerSettings | None:
    """The breakers' settings; None: switched off. Raises InvalidServiceConfigError."""
    entry, default = Entry.of(top, "breaker"), DEFAULT_BREAKER
    if entry is None:
        return None
    settings = BreakerSettings(
        k=entry.number("k", default.k),
        least_calls=entry.whole_number("leastCalls", default.least_calls),
        most_refused=entry.part("mostRefused", default.most_refused),
        probe_every_s=entry.seconds("probeEvery", default.probe_every_s),
        codes=entry.codes("codes", default.codes),
    )
    entry.nothing_else()
    return settings


def budget_settings(top: Mapping[str, Any]) -> BudgetSettings | None:
    """The retry budget's settings; None: switched off. Raises InvalidServiceConfigError."""
    entry, default = Entry.of(top, "retryBudget"), DEFAULT_BUDGET
    if entry is None:
        return None
    settings = BudgetSettings(
        retries_per_call=entry.number("retriesPerCall", default.retries_per_call),
        reserve_per_s=entry.number("reservePerSecond", default.reserve_per_s),
    )
    entry.nothing_else()
    return settings
