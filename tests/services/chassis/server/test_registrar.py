"""The settings decide where a service registers."""

import random

import pytest

from discovery.registry.consul.registry import ConsulRegistry
from services.chassis.server.registrar import registrar_of
from services.chassis.server.settings import RegistrySettings
from tests.support.clock.manual_clock import ManualClock


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, type(None)),
        ({"address": "127.0.0.1:8500"}, ConsulRegistry),
        ({"address": "127.0.0.1:8500", "kind": "none"}, type(None)),
    ],
    ids=["no agent", "an agent", "none of it"],
)
async def test_a_service_registers_with_the_agent_of_its_settings(
    settings: dict[str, str], kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service registers with the agent of its settings, unless TRADEPOST_REGISTRY is none."""
    for name in ("CONSUL_HTTP_ADDR", "TRADEPOST_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    chosen = RegistrySettings(**settings)

    async with registrar_of(chosen, clock=ManualClock(), rng=random.Random(1)) as registrar:
        assert isinstance(registrar, kind)
