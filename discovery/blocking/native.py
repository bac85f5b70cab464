"""The plain synchronous channel under a subchannel, and what only gRPC's inside knows."""

from collections.abc import Callable, Iterable
from typing import Any

import grpc
from grpc import _channel as _originals
from grpc._cython import cygrpc

from discovery.config.channel_options import channel_options
from discovery.registry.instance import Instance

Dial = Callable[[Instance], grpc.Channel]


def dialer(
    credentials: grpc.ChannelCredentials | None,
    authority: str,
    options: Iterable[tuple[str, Any]],
) -> Dial:
    """A function that makes the channel to an instance, unpatched by instrumentation."""
    chosen = channel_options(authority, options)
    plain: Any = _originals
    handed: Any = credentials

    def dial(instance: Instance) -> grpc.Channel:
        inner = None if handed is None else handed._credentials  # noqa: SLF001 - as grpc itself does
        channel: grpc.Channel = plain.Channel(instance.endpoint, chosen, inner, None)
        return channel

    return dial


def is_ready(channel: grpc.Channel) -> bool:
    """Whether the connection stands now; not once the channel is closed."""
    inner: Any = channel
    try:
        state = inner._channel.check_connectivity_state(False)  # noqa: FBT003, SLF001 - no other way
    except ValueError:
        return False
    return bool(state == cygrpc.ConnectivityState.ready)


def survives_fork() -> bool:
    """Whether gRPC was told, before it was imported, that its users fork."""
    known: Any = cygrpc
    return bool(known.is_fork_support_enabled())
