"""The plain grpc.aio channel under a subchannel.

OpenTelemetry's client instrumentor replaces `grpc.aio.insecure_channel` and `secure_channel`,
with closures that don't say what they wrap. Attempts are measured by this package, so the
originals are taken from where they are defined.
"""

from collections.abc import Callable, Iterable
from typing import Any

import grpc
from grpc.aio import _channel as _originals

from discovery.config.channel_options import channel_options
from discovery.registry.instance import Instance

Dial = Callable[[Instance], grpc.aio.Channel]


def dialer(
    credentials: grpc.ChannelCredentials | None,
    authority: str,
    options: Iterable[tuple[str, Any]],
) -> Dial:
    """A function that makes the channel to an instance; it connects when it is first asked to."""
    chosen = channel_options(authority, options)
    # Untyped where they are defined, typed where they are exported.
    insecure: Callable[..., grpc.aio.Channel] = _originals.insecure_channel  # type: ignore[assignment]
    secure: Callable[..., grpc.aio.Channel] = _originals.secure_channel  # type: ignore[assignment]

    def dial(instance: Instance) -> grpc.aio.Channel:
        if credentials is None:
            return insecure(instance.endpoint, chosen)
        return secure(instance.endpoint, credentials, chosen)

    return dial
