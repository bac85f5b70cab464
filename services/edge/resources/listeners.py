"""LDS: the public listener, and the one inside Envoy that translates what the cache asks for."""

from envoy.config.core.v3 import address_pb2
from envoy.config.listener.v3 import listener_components_pb2, listener_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as manager_pb2,
)

from services.edge.contract.contract import Contract
from services.edge.resources.connection_managers import inner_manager, outer_manager
from services.edge.resources.names import PUBLIC_LISTENER, TRANSLATING_LISTENER
from services.edge.resources.packing import packed
from services.edge.resources.transport_sockets import public_socket
from services.edge.settings import EdgeSettings


def public_listener(
    contract: Contract, settings: EdgeSettings, *, with_tokens: bool, with_tls: bool
) -> listener_pb2.Listener:
    """Return the listener that callers connect to."""
    chain = _chain(outer_manager(contract, settings, with_tokens=with_tokens))
    if with_tls:
        chain.transport_socket.CopyFrom(public_socket())
    return listener_pb2.Listener(
        name=PUBLIC_LISTENER,
        address=address_pb2.Address(
            socket_address=address_pb2.SocketAddress(
                address=settings.host, port_value=settings.port
            )
        ),
        filter_chains=[chain],
    )


def translating_listener(contract: Contract, settings: EdgeSettings) -> listener_pb2.Listener:
    """Return the inner listener; it has no socket."""
    return listener_pb2.Listener(
        name=TRANSLATING_LISTENER,
        internal_listener=listener_pb2.Listener.InternalListenerConfig(),
        filter_chains=[_chain(inner_manager(contract, settings))],
    )


def _chain(manager: manager_pb2.HttpConnectionManager) -> listener_components_pb2.FilterChain:
    return listener_components_pb2.FilterChain(
        filters=[
            listener_components_pb2.Filter(
                name="envoy.filters.network.http_connection_manager", typed_config=packed(manager)
            )
        ]
    )
