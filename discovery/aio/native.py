"""The plain grpc.aio channel under a subchannel.

OpenTelemetry's client instrumentor replaces `grpc.aio.insecure_channel` and `secure_channel`,
with closures that don't say what they wrap. Attempts are measured by this package, so the
originals are taken from where they are defined.
"""

from collections.abc import Callable, Iterable
from typing import Any

import grpc
from grpc.aio import _channel as _originals

from discovery.registry.instance import Instance

Dial = Callable[[Instance], grpc.aio.Channel]

_INT32_MAX = 2**31 - 1

# Changed by the caller's own options, key by key.
DEFAULT_OPTIONS: tuple[tuple[str, Any], ...] = (
    # An instance that restarts on its port is found again within 5 s (the default is 120 s).
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # A connection that died without a word is found out; servers have to allow it (gRFC A8).
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # A connection is kept for the next call; the balancer decides what is needed.
    ("grpc.client_idle_timeout_ms", _INT32_MAX),
    # The connection belongs to this channel, and so do its backoff and its end.
    ("grpc.use_local_subchannel_pool", 1),
    # The service config is ours alone: C-core shall not look for another one in DNS.
    ("grpc.service_config_disable_resolution", 1),
)


def arguments(authority: str, options: Iterable[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
    """The channel arguments of every connection; the caller's own go before the defaults."""
    return tuple(
        {
            **dict(DEFAULT_OPTIONS),
            "grpc.default_authority": authority,
            **dict(options),
        }.items()
    )


def dialer(
    credentials: grpc.ChannelCredentials | None,
    authority: str,
    options: Iterable[tuple[str, Any]],
) -> Dial:
    """A function that makes the channel to an instance; it connects when it is first asked to."""
    chosen = arguments(authority, options)
    # Untyped where they are defined, typed where they are exported.
    insecure: Callable[..., grpc.aio.Channel] = _originals.insecure_channel  # type: ignore[assignment]
    secure: Callable[..., grpc.aio.Channel] = _originals.secure_channel  # type: ignore[assignment]

    def dial(instance: Instance) -> grpc.aio.Channel:
        if credentials is None:
            return insecure(instance.endpoint, chosen)
        return secure(instance.endpoint, credentials, chosen)

    return dial
