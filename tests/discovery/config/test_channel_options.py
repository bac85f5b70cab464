"""The options of the connections under a channel."""

from discovery.config.channel_options import channel_options


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
