"""What an operator sets, under the names they know; a bad value stops the start with its name."""

import pytest
from pydantic import ValidationError

from services.chassis.server.settings import (
    DatabaseSettings,
    RegistrySettings,
    ServerSettings,
)
from services.chassis.telemetry.settings import TelemetrySettings


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own are prefixed, the others keep the names other tools read."""
    for name, value in {
        "TRADEPOST_HOST": "0.0.0.0",
        "TRADEPOST_PORT": "50051",
        "TRADEPOST_INSTANCE_ID": "order-1",
        "TRADEPOST_DRAIN_S": "0.5",
        "TRADEPOST_MAX_CONCURRENT": "32",
        "TRADEPOST_CHANNELZ": "true",
        "TRADEPOST_LOG_LEVEL": "debug",
        "CONSUL_HTTP_ADDR": "127.0.0.1:8500",
        "CONSUL_HTTP_TOKEN": "secret",
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
    """Loopback, a free port, two seconds to be noticed leaving, ten to finish."""
    for name in ("TRADEPOST_HOST", "TRADEPOST_PORT", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)

    server = ServerSettings()
    assert (server.host, server.port) == ("127.0.0.1", 0)
    assert (server.drain_s, server.stop_grace_s) == (2.0, 10.0)
    assert (server.max_concurrent, server.max_waiting) == (256, 5_000)
    assert TelemetrySettings().otlp_endpoint == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [("TRADEPOST_PORT", "70000"), ("TRADEPOST_DRAIN_S", "-1"), ("TRADEPOST_MAX_CONCURRENT", "0")],
)
def test_a_value_that_cannot_be_right_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Better no instance than one that behaves strangely."""
    monkeypatch.setenv(name, value)

    with pytest.raises(ValidationError, match=name.removeprefix("TRADEPOST_").lower()):
        ServerSettings()


def test_settings_do_not_change() -> None:
    """They are read once, in the composition root."""
    server = ServerSettings()

    with pytest.raises(ValidationError, match="frozen"):
        server.port = 1


def test_secrets_are_not_shown() -> None:
    """A token or a database password never ends up in a log by way of repr."""
    shown = f"{RegistrySettings(token='hunter2')!r} {DatabaseSettings(url='pg://u:hunter2@h/d')!r}"

    assert "hunter2" not in shown
