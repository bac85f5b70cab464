"""The options of every connection: what C-core calls channel arguments."""

from collections.abc import Iterable, Mapping
from typing import Any

from discovery.errors import InvalidServiceConfigError

_INT32_MAX = 2**31 - 1
_ENABLE_PROXY = "grpc.enable_http_proxy"
_SERVICE_CONFIG = "grpc.service_config"

# A caller's own options replace these one by one.
DEFAULT_OPTIONS: tuple[tuple[str, Any], ...] = (
    # Find an instance that restarts on its port again within 5 s (C-core's default is 120 s).
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # A server that nobody configured allows one ping in 300 s and closes the connection at the
    # third early one (gRFC A8). An idle peer that died silently is noticed within 340 s. A peer
    # that is sent anything is noticed within 10 s: with keepalive on, C-core sets TCP_USER_TIMEOUT
    # to the timeout (gRFC A18).
    ("grpc.keepalive_time_ms", 330_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Keep idle connections open: the balancer decides which connections are needed.
    ("grpc.client_idle_timeout_ms", _INT32_MAX),
    # Share no connection with other channels of the process: each channel has its own backoff and
    # closes its own connections.
    ("grpc.use_local_subchannel_pool", 1),
    # Keep C-core from looking for a service config in DNS: this package has the only one.
    ("grpc.service_config_disable_resolution", 1),
    # Dial instances directly, although `http_proxy` may be set for calls to the outside. A registry
    # names addresses of the inner network, which a proxy usually can't reach.
    (_ENABLE_PROXY, 0),
)


def authority_of(service: str, authority: str | None, options: Iterable[tuple[str, Any]]) -> str:
    """Return the name that calls carry: the caller's authority, or TLS name, or the service's name.

    `grpc.ssl_target_name_override` is the default authority in gRPC too. Any other one would have
    to be a name without a port, or C-core would refuse each call.
    """
    if authority is not None:
        return authority
    return str(dict(options).get("grpc.ssl_target_name_override", service))


def service_config_of(
    given: str | Mapping[str, Any] | None, options: Iterable[tuple[str, Any]]
) -> str | Mapping[str, Any] | None:
    """Return the service config: the argument, or the option by which grpc.aio is given one.

    C-core would carry out the option's inside one connection, past this package's retry budget.
    Raises InvalidServiceConfigError if there are both.
    """
    option = dict(options).get(_SERVICE_CONFIG)
    if option is not None and given is not None:
        raise InvalidServiceConfigError(_SERVICE_CONFIG, "given as an option and as service_config")
    return option if given is None else given


def channel_options(
    authority: str, options: Iterable[tuple[str, Any]]
) -> tuple[tuple[str, Any], ...]:
    """Return the options of a connection; the caller's own take precedence over the defaults.

    The service config is left out, because it belongs to the channel, not to a connection. A caller
    asks for a proxy by `grpc.http_proxy` (this proxy) or by `grpc.enable_http_proxy`=1 (the proxy
    that the environment names).
    """
    chosen = {**dict(DEFAULT_OPTIONS), "grpc.default_authority": authority}
    own = dict(options)
    if "grpc.http_proxy" in own:
        del chosen[_ENABLE_PROXY]
    own.pop(_SERVICE_CONFIG, None)
    return tuple({**chosen, **own}.items())
