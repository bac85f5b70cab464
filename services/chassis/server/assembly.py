"""Builds the gRPC server: options, stack and servicers, and opens its ports."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

import grpc
from grpc_health.v1 import health_pb2_grpc
from tradepost.event.v1 import event_service_pb2_grpc
from tradepost.instance.v1 import instance_service_pb2_grpc

from discovery.clock import Clock
from discovery.registry.instance import Instance
from discovery.tls.certificates import CertificateSource
from services.chassis.consumer import repair_servicers as consumer_servicers
from services.chassis.feed import audit_servicer
from services.chassis.feed import servicer as feed_servicer
from services.chassis.identity.peer import peer_of
from services.chassis.identity.security import OPEN, Security
from services.chassis.identity.server_credentials import server_credentials
from services.chassis.ids import IdFactory
from services.chassis.log.audit_log import AuditedWrites
from services.chassis.request.idempotent_writes import IdempotentWrites
from services.chassis.server.errors import CannotListenError
from services.chassis.server.instance import drain, health, reflection
from services.chassis.server.instance.drain import InstanceDrain, InstanceServicer
from services.chassis.server.instrumentation import Recorders
from services.chassis.server.layers.access import Access
from services.chassis.server.layers.admission import Admission
from services.chassis.server.layers.call_metrics import CallMetrics
from services.chassis.server.layers.deadline import Deadline
from services.chassis.server.layers.error_mapping import ErrorMapping
from services.chassis.server.layers.peer_check import PeerCheck
from services.chassis.server.layers.serialization import serialization
from services.chassis.server.layers.stack import Stack, layers
from services.chassis.server.layers.trace import Trace
from services.chassis.server.service_definition import Service
from services.chassis.server.settings import ServerSettings

# The server must accept the pings of the other services' channels (every 30 s, timeout 10 s), and
# must end the streams of a caller that vanished (gRFC A8, A9).
KEEPALIVE_TIME_MS = 30_000
KEEPALIVE_TIMEOUT_MS = 10_000
MIN_PING_INTERVAL_MS = 10_000
MAX_REQUEST_BYTES = 4 * 1024 * 1024
# The edge lets 32 KiB of headers pass and adds its own; gRPC would refuse more than 8 KiB.
MAX_METADATA_BYTES = 48 * 1024
# Otherwise a second process could bind the same port unnoticed and get half of the calls.
_ONE_PROCESS_A_PORT = ("grpc.so_reuseport", 0)


def build(
    service: Service,
    settings: ServerSettings,
    security: Security,
    *,
    clock: Clock,
    ids: IdFactory,
    admission: Admission,
    peer_check: PeerCheck | None,
    health_servicer: health.HealthServicer,
    recorders: Recorders | None,
) -> grpc.aio.Server:
    """Build a server that has everything but a port, and what needs to know the port."""
    stack = layers(
        call_metrics=_call_metrics(clock, recorders),
        trace=_trace(clock, ids, recorders),
        error_mapping=_error_mapping(service, ids),
        deadline=Deadline(clock=clock),
        peer_check=peer_check,
        access=_access(security, clock),
        admission=admission,
    )
    interceptors = (
        [] if recorders is None or recorders.interceptor is None else [recorders.interceptor]
    )
    server = grpc.aio.server(
        interceptors=[*interceptors, Stack(stack)], options=list(_options(settings).items())
    )
    handlers = cast(grpc.aio.Server, _GenericHandlersOnly(server))
    for add in service.servicers:
        add(handlers)
    _add_event_services(handlers, service)
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, handlers)
    if _is_reflected(settings, security):
        reflection.add_to_server(handlers, service_names(service, settings, security))
    if settings.channelz:
        # It checks the type of the server, so it gets the server itself.
        from grpc_channelz.v1 import channelz  # noqa: PLC0415 - only imported when turned on

        channelz.add_channelz_servicer(server)
    return server


@asynccontextmanager
async def checks(
    service: Service,
    settings: ServerSettings,
    security: Security,
    health_servicer: health.HealthServicer,
    *,
    clock: Clock,
    ids: IdFactory,
) -> AsyncIterator[str]:
    """Yield where checks ask for health: the server itself ("") or, if it is secure, another."""
    if security.is_open:
        yield ""
        return
    server = _build_health(service, health_servicer, clock=clock, ids=ids)
    address = settings.health_endpoint(settings.health_port)
    port = await listen(
        server, address, None, setting="TRADEPOST_HEALTH_HOST, TRADEPOST_HEALTH_PORT"
    )
    await server.start()
    try:
        yield settings.health_endpoint(port)
    finally:
        await server.stop(None)


def _build_health(
    service: Service, health_servicer: health.HealthServicer, *, clock: Clock, ids: IdFactory
) -> grpc.aio.Server:
    """Build a server that answers for health only, to checks that have no certificate."""
    trace, error_mapping = _trace(clock, ids, None), _error_mapping(service, ids)
    stack = Stack([trace, error_mapping, serialization])
    server = grpc.aio.server(interceptors=[stack], options=[_ONE_PROCESS_A_PORT])
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    return server


async def listen(
    server: grpc.aio.Server,
    address: str,
    certificates: CertificateSource | None,
    *,
    setting: str = "TRADEPOST_HOST, TRADEPOST_PORT",
) -> int:
    """Listen on `address`, over TLS if there are certificates; return the port.

    `setting` names the variables of the address. Raises CannotListenError.
    """
    try:
        if certificates is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, server_credentials(certificates))
    except RuntimeError as error:  # gRPC has written the reason to standard error
        # A server that was not stopped logs an error when it is collected after its loop has
        # ended, and only a server that was started can be stopped.
        await server.start()
        await server.stop(None)
        raise CannotListenError(address, setting) from error


def admission_of(service: Service, settings: ServerSettings, *, clock: Clock) -> Admission:
    """Create the layer with the limits of the settings."""
    return Admission(
        clock=clock,
        limit=settings.max_concurrent,
        max_waiting=settings.max_waiting,
        max_watching=settings.max_watching,
        max_subscribers=settings.max_subscribers,
        subscription_methods=feed_servicer.SUBSCRIPTION_METHODS,
        compensation_methods=service.compensation_methods,
    )


def peer_check_of(security: Security) -> PeerCheck | None:
    """Create the layer, where there are intentions."""
    if security.certificates is None or security.intentions is None:
        return None
    return PeerCheck(security.intentions, peer=peer_of(security.certificates))


def _access(security: Security, clock: Clock) -> Access | None:
    if security.authentication is None:
        return None
    return Access(security.authentication, clock=clock)


def _call_metrics(clock: Clock, recorders: Recorders | None) -> CallMetrics | None:
    if recorders is None or recorders.metrics is None:
        return None
    return CallMetrics(recorders.metrics, clock=clock)


def _trace(clock: Clock, ids: IdFactory, recorders: Recorders | None) -> Trace:
    return Trace(
        clock=clock,
        new_correlation_id=partial(ids.new, "cor"),
        server_span=None if recorders is None else recorders.traceparent,
    )


def _error_mapping(service: Service, ids: IdFactory) -> ErrorMapping:
    return ErrorMapping(
        errors=service.errors, domain=service.domain, new_error_id=partial(ids.new, "err")
    )


def _add_event_services(server: grpc.aio.Server, service: Service) -> None:
    """Serve the event contract, which every service has.

    What a service does not have (a feed, consumers) answers UNIMPLEMENTED.
    """
    event_service_pb2_grpc.add_EventFeedServiceServicer_to_server(
        feed_servicer.EventFeedServicer(service.feed), server
    )
    event_service_pb2_grpc.add_DeadLetterServiceServicer_to_server(
        consumer_servicers.DeadLetterServicer(service.consumed.dead_letter_admin), server
    )
    event_service_pb2_grpc.add_SubscriptionServiceServicer_to_server(
        consumer_servicers.SubscriptionServicer(service.consumed.consumer_admin), server
    )
    event_service_pb2_grpc.add_AuditServiceServicer_to_server(
        audit_servicer.AuditServicer(service.database), server
    )


def add_instance_service(
    server: grpc.aio.Server,
    service: Service,
    instance: Instance,
    clock: Clock,
    begin_stop: Callable[[], object] | None,
) -> None:
    """Serve the drain of `instance`, whose port is known once the server listens.

    Where nobody can begin its stop, or there is no database for the record, it is UNIMPLEMENTED.
    """
    served = None
    if begin_stop is not None and service.database is not None:
        audited = AuditedWrites(IdempotentWrites(service.database, clock), instance.instance_id)
        served = InstanceDrain(instance, begin_stop=begin_stop, audited=audited)
    instance_service_pb2_grpc.add_InstanceServiceServicer_to_server(
        InstanceServicer(served), cast(grpc.aio.Server, _GenericHandlersOnly(server))
    )


class _GenericHandlersOnly:
    """Adds a servicer's generic handlers to a server, and skips its registered methods.

    grpc.aio 1.85 keeps one task for each registered method that waits for its next call, and looks
    at all of these tasks whenever a call arrives. With our thirty methods that took a tenth of the
    event loop's time. Generic handlers share one task.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self.add_generic_rpc_handlers = server.add_generic_rpc_handlers

    def add_registered_method_handlers(self, service_name: str, handlers: object) -> None:
        """Do nothing: the generic handler of the same service answers the calls."""


def service_names(
    service: Service, settings: ServerSettings, security: Security = OPEN
) -> tuple[str, ...]:
    """Return the full names of all services that are served."""
    names = [
        *service.service_names,
        feed_servicer.SERVICE_NAME,
        *consumer_servicers.SERVICE_NAMES,
        audit_servicer.SERVICE_NAME,
        drain.SERVICE_NAME,
        health.SERVICE_NAME,
    ]
    if settings.channelz:
        names.append("grpc.channelz.v1.Channelz")
    return (*names, *(reflection.SERVICE_NAMES if _is_reflected(settings, security) else ()))


def _is_reflected(settings: ServerSettings, security: Security) -> bool:
    """Whether the contracts are described: unless the settings say it, in the open mode only."""
    return security.is_open if settings.reflection is None else settings.reflection


def _options(settings: ServerSettings) -> Mapping[str, int]:
    age_s, grace_s = settings.max_connection_age_s, settings.max_connection_age_grace_s
    age = {
        "grpc.max_connection_age_ms": round(age_s * 1000),
        "grpc.max_connection_age_grace_ms": round(grace_s * 1000),
    }
    return {
        **dict([_ONE_PROCESS_A_PORT]),
        "grpc.keepalive_time_ms": KEEPALIVE_TIME_MS,
        "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
        "grpc.keepalive_permit_without_calls": 1,
        "grpc.http2.min_ping_interval_without_data_ms": MIN_PING_INTERVAL_MS,
        "grpc.max_receive_message_length": MAX_REQUEST_BYTES,
        # Between the two, gRPC would refuse a part of the calls.
        "grpc.max_metadata_size": MAX_METADATA_BYTES,
        "grpc.absolute_max_metadata_size": MAX_METADATA_BYTES,
        "grpc.enable_channelz": int(settings.channelz),
        **(age if age_s else {}),
    }
