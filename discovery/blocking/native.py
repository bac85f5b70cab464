"""Creates the plain grpc channel under a subchannel, and reads the state of channels and calls.

All use private parts of gRPC, each for the reason it states.
"""

import sys
from collections.abc import Iterable
from typing import Any

import grpc
from grpc import _channel as _originals
from grpc._cython import cygrpc

from discovery.config.channel_options import channel_options
from discovery.config.mutual_tls import MutualTls
from discovery.registry.instance import Instance

_STATES = {state.value[0]: state for state in grpc.ChannelConnectivity}

_SOURCE = _originals.__file__


class Dialer:
    """Makes a channel to an instance, past any instrumentation's patches.

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
        self._credentials = credentials
        self._options = channel_options(authority, options)
        self._compression = compression

    def __call__(self, instance: Instance) -> grpc.Channel:
        plain: Any = _originals
        credentials: Any = self._credentials
        options = self._options
        if self.tls is not None:
            credentials = self.tls.credentials()
            options = (*options, self.tls.option())
        inner = None if credentials is None else credentials._credentials  # noqa: SLF001 - as grpc itself does
        channel: grpc.Channel = plain.Channel(instance.endpoint, options, inner, self._compression)
        return channel


def is_ready(channel: grpc.Channel) -> bool:
    """Whether the connection is READY at this moment; False once the channel is closed."""
    inner: Any = channel
    try:
        state = inner._channel.check_connectivity_state(False)  # noqa: FBT003, SLF001 - no other way
    except ValueError:
        return False
    return bool(state == cygrpc.ConnectivityState.ready)


def connection_state(channel: grpc.Channel) -> grpc.ChannelConnectivity:
    """The connection's state; an idle one connects. Raises ValueError on a closed channel."""
    inner: Any = channel
    state = inner._channel.check_connectivity_state(True)  # noqa: FBT003, SLF001 - no other way
    return _STATES[state]


def is_made_by_grpc(rpc: object) -> bool:
    """Whether it is a call under way of grpc's own, and no call or error of this library."""
    return isinstance(rpc, _originals._Rendezvous)  # noqa: SLF001 - no public name


class StatusOf:
    """The status of one of grpc's calls once it has ended, without a reference to the call.

    The call's own `code()` and `details()` read the same state, which outlives the call.
    """

    def __init__(self, rpc: Any) -> None:
        self._state: Any = rpc._state  # noqa: SLF001 - the methods would need the call

    def code(self) -> grpc.StatusCode:
        code: grpc.StatusCode = self._state.code
        return code

    def details(self) -> str | None:
        details: str | None = self._state.details
        return details


def in_callback() -> bool:
    """Whether this thread is one in which grpc reports the ends of a channel's calls.

    grpc calls back from a function of its own inside `_run_channel_spin_thread`.
    """
    frame = sys._getframe()  # noqa: SLF001 - the documented way to read one's own stack
    while frame.f_back is not None:
        if frame.f_code.co_name == "channel_spin" and frame.f_code.co_filename == _SOURCE:
            return True
        frame = frame.f_back
    return False


def survives_fork() -> bool:
    """Whether fork support was configured in the environment before gRPC was imported."""
    known: Any = cygrpc
    return bool(known.is_fork_support_enabled())
