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
from discovery.config.mutual_tls import MutualTls
from discovery.registry.instance import Instance


class Dialer:
    """Makes a channel to an instance; the channel connects on first use.

    With `tls` it uses the certificates that are the newest when it is made.
    """

    def __init__(
        self,
        credentials: grpc.ChannelCredentials | None,
        authority: str,
        options: Iterable[tuple[str, Any]],
        compression: grpc.Compression | None = None,
        *,
        tls: MutualTls | None = None,
    ) -> None:
        self.tls = tls
        self.secure = credentials is not None or tls is not None
        self._credentials = credentials
        self._options = channel_options(authority, options)
        self._compression = compression

    def __call__(self, instance: Instance) -> grpc.aio.Channel:
        # The types are those of the exported functions; the defining module has none.
        insecure: Callable[..., grpc.aio.Channel] = _originals.insecure_channel  # type: ignore[assignment]
        secure: Callable[..., grpc.aio.Channel] = _originals.secure_channel  # type: ignore[assignment]
        if self.tls is not None:
            options = (*self._options, self.tls.option())
            return secure(instance.endpoint, self.tls.credentials(), options, self._compression)
        if self._credentials is None:
            return insecure(instance.endpoint, self._options, self._compression)
        return secure(instance.endpoint, self._credentials, self._options, self._compression)
