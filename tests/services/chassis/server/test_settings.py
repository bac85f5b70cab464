"""Settings come from environment variables, and an invalid one stops the start."""

import pytest
from pydantic import ValidationError

from services.chassis.server.settings import (
    DatabaseSettings,
    RegistrySettings,
    ServerSettings,
)
from services.chassis.telemetry.settings import TelemetrySettings


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own variables have a prefix; the others have the names that other tools use."""
    for name, value in {
        "TRADEPOST_HOST": "0.0.0.0",
        "TRADEPOST_PORT": "50051",
        "TRADEPOST_INSTANCE_ID": "order-1",
        "TRADEPOST_DRAIN_S": "0.5",
        "TRADEPOST_MAX_CONCURRENT": "32",
        "TRADEPOST_CHANNELZ": "true",
        "TRADEPOST_LOG_LEVEL": "debug",
        "CONSUL_HTTP_ADDR": "127.0.0.1:8500",
        "DATABASE_URL": "sqlite:////tmp/order.db",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317",
    }.items():
        monkeypatch.setenv(name, value)

    server = ServerSettings()
    assert (server.host, server.port, server.instance_id) == ("0.0.0.0", 50051, "order-1")
    assert (server.drain_s, server.max_concurrent, server.channelz) == (0.5, 32, True)
    assert RegistrySettings().address == "127.0.0.1:8500"
    assert DatabaseSettings().url == "sqlite:////tmp/order.db"
    assert TelemetrySettings().otlp_endpoint == "http://127.0.0.1:4317"
    assert TelemetrySettings().log_level == "debug"


def test_an_unset_environment_gives_the_documented_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Defaults: loopback, a free port, two seconds of drain, ten seconds of grace."""
    for name in ("TRADEPOST_HOST", "TRADEPOST_PORT", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)

    server = ServerSettings()
    assert (server.host, server.port) == ("127.0.0.1", 0)
    assert (server.drain_s, server.stop_grace_s) == (2.0, 10.0)
    assert (server.max_concurrent, server.max_waiting) == (256, 5_000)
    assert (server.max_watching, server.max_subscribers) == (5_000, 1_000)
    assert TelemetrySettings().otlp_endpoint == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [("TRADEPOST_PORT", "70000"), ("TRADEPOST_DRAIN_S", "-1"), ("TRADEPOST_MAX_CONCURRENT", "0")],
)
def test_an_invalid_value_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """An invalid value raises an error that names the variable."""
    monkeypatch.setenv(name, value)

    with pytest.raises(ValidationError, match=name.removeprefix("TRADEPOST_").lower()):
        ServerSettings()


def test_settings_do_not_change() -> None:
    """Settings are frozen."""
    server = ServerSettings()

    with pytest.raises(ValidationError, match="frozen"):
        server.port = 1


def test_secrets_are_not_in_the_repr() -> None:
    """The repr of settings doesn't hold a database password."""
    text = f"{DatabaseSettings(url='pg://u:hunter2@h/d')!r}"

    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("settings", "known"),
    [
        (ServerSettings(instance_id="order-1"), "order-1"),
        (ServerSettings(host="10.0.0.7", port=50051), "order-10.0.0.7-50051"),
        (ServerSettings(), ""),
    ],
)
def test_an_instance_is_known_by_its_id_or_by_its_port(
    settings: ServerSettings, known: str
) -> None:
    """Before it listens, an instance with neither has no id yet."""
    assert settings.known_instance_id("order") == known
