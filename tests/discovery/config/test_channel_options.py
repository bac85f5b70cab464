"""The options of the connections under a channel."""

import pytest

from discovery.config.channel_options import channel_options, service_config_of
from discovery.errors import InvalidServiceConfigError


def test_the_options_of_every_connection() -> None:
    """Reconnect within 5 s, ping less than once in 300 s, never go idle, retry
    nothing.
    """
    options = dict(channel_options("order", ()))

    assert options["grpc.default_authority"] == "order"
    assert options["grpc.initial_reconnect_backoff_ms"] == 100
    assert options["grpc.max_reconnect_backoff_ms"] == 5_000
    assert (options["grpc.keepalive_time_ms"], options["grpc.keepalive_timeout_ms"]) == (
        330_000,
        10_000,
    )
    assert options["grpc.client_idle_timeout_ms"] == 2**31 - 1
    assert options["grpc.use_local_subchannel_pool"] == 1
    # C-core keeps its transparent retries, of what was never sent, and gets no retry policy.
    assert options.get("grpc.enable_retries", 1) == 1
    assert options["grpc.service_config_disable_resolution"] == 1
    assert "grpc.service_config" not in options


def test_a_service_config_among_the_options_is_the_channels() -> None:
    """The option of gRPC is read like the argument, and no connection gets it."""
    options = [("grpc.service_config", '{"methodConfig": []}')]

    assert service_config_of(None, options) == '{"methodConfig": []}'
    assert "grpc.service_config" not in dict(channel_options("order", options))


def test_two_service_configs_are_refused() -> None:
    """An option and an argument at once are an error, because one of them would be ignored."""
    with pytest.raises(InvalidServiceConfigError, match="given as an option and as service_config"):
        service_config_of({}, [("grpc.service_config", "{}")])
