"""Creates the plain grpc.aio channel under a subchannel.

OpenTelemetry's client instrumentor replaces `grpc.aio.insecure_channel` and `secure_channel`. This
package traces attempts itself, so it takes the original functions from the module that defines
them.
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
    compression: grpc.Compression | None = None,
) -> Dial:
    """Return a function that makes a channel to an instance; the channel connects on first use."""
    chosen = channel_options(authority, options)
    # The types are those of the exported functions; the defining module has none.
    insecure: Callable[..., grpc.aio.Channel] = _originals.insecure_channel  # type: ignore[assignment]
    secure: Callable[..., grpc.aio.Channel] = _originals.secure_channel  # type: ignore[assignment]

    def dial(instance: Instance) -> grpc.aio.Channel:
        if credentials is None:
            return insecure(instance.endpoint, chosen, compression)
        return secure(instance.endpoint, credentials, chosen, compression)

    return dial
