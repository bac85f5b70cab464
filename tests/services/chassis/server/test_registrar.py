"""The settings decide where a service registers."""

import random
from pathlib import Path

import pytest

from discovery.registry.consul.registry import ConsulRegistry
from services.chassis.environment import SettingError
from services.chassis.server.registrar import registrar_of
from services.chassis.server.settings import RegistrySettings, ServerSettings
from tests.support.clock.manual_clock import ManualClock


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, ConsulRegistry),
        ({"address": "127.0.0.1:8500"}, ConsulRegistry),
        ({"address": "127.0.0.1:8500", "kind": "none"}, type(None)),
    ],
    ids=["the agent of this machine", "an agent", "none of it"],
)
async def test_a_service_registers_with_the_agent_of_its_settings(
    settings: dict[str, str], kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service registers with the agent of its settings, unless TRADEPOST_REGISTRY is none."""
    for name in ("CONSUL_HTTP_ADDR", "TRADEPOST_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    chosen = RegistrySettings(**settings)

    async with registrar_of(
        chosen, ServerSettings(), clock=ManualClock(), rng=random.Random(1)
    ) as registrar:
        assert isinstance(registrar, kind)


async def test_the_registrar_reads_what_channels_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service connects to its agent by the same variables as its channels do."""
    (tmp_path / "token").write_text("s3cret\n")
    for name, value in {
        "CONSUL_HTTP_ADDR": "consul.internal:8501",
        "CONSUL_HTTP_SSL": "true",
        "CONSUL_HTTP_SSL_VERIFY": "false",
        "CONSUL_HTTP_TOKEN_FILE": str(tmp_path / "token"),
        "CONSUL_CLIENT_CERT": "/etc/consul/client.pem",
        "CONSUL_CLIENT_KEY": "/etc/consul/client-key.pem",
        "CONSUL_NAMESPACE": "shop",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TRADEPOST_REGISTRY", raising=False)
    clock, rng = ManualClock(), random.Random(1)

    async with registrar_of(
        RegistrySettings(), ServerSettings(), clock=clock, rng=rng
    ) as registrar:
        assert isinstance(registrar, ConsulRegistry)
        channels = ConsulRegistry.from_environment(clock=clock, rng=rng)
        assert registrar._address == channels._address
        assert (registrar._address.tls, registrar._address.token) == (True, "s3cret")


async def test_a_variable_that_cannot_be_used_stops_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A service doesn't register with less protection than its environment asks for."""
    monkeypatch.setenv("CONSUL_HTTP_SSL", "yes please")
    settings = RegistrySettings(address="127.0.0.1:8500", kind="consul")

    with pytest.raises(SettingError, match="CONSUL_HTTP_SSL: "):
        async with registrar_of(
            settings, ServerSettings(), clock=ManualClock(), rng=random.Random(1)
        ):
            pass
