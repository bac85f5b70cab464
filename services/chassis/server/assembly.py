"""Builds the gRPC server: options, stack, the service's servicers, and those of every server."""

from collections.abc import Mapping
from functools import partial
from typing import cast

import grpc
from grpc_health.v1 import health_pb2_grpc
from tradepost.event.v1 import event_service_pb2_grpc

from discovery.clock import Clock
from services.chassis.consumer import repair_servicers as consumer_servicers
from services.chassis.feed import audit_servicer
from services.chassis.feed import servicer as feed_servicer
from services.chassis.ids import IdFactory
from services.chassis.server import health, reflection
from services.chassis.server.instrumentation import Spans
from services.chassis.server.layers.admission import Admission
from services.chassis.server.layers.deadline import Deadline
from services.chassis.server.layers.error_mapping import ErrorMapping
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


def build(
    service: Service,
    settings: ServerSettings,
    *,
    clock: Clock,
    ids: IdFactory,
    admission: Admission,
    health_servicer: health.HealthServicer,
    spans: Spans | None,
) -> grpc.aio.Server:
    """Build a server that has everything but a port."""
    stack = layers(
        trace=Trace(
            clock=clock,
            new_correlation_id=partial(ids.new, "cor"),
            server_span=None if spans is None else spans.traceparent,
        ),
        error_mapping=ErrorMapping(
            errors=service.errors, domain=service.domain, new_error_id=partial(ids.new, "err")
        ),
        deadline=Deadline(clock=clock),
        admission=admission,
    )
    interceptors = [] if spans is None else [spans.interceptor]
    server = grpc.aio.server(
        interceptors=[*interceptors, Stack(stack)], options=list(_options(settings).items())
    )
    handlers = cast(grpc.aio.Server, _GenericHandlersOnly(server))
    for add in service.servicers:
        add(handlers)
    _add_event_services(handlers, service)
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, handlers)
    reflection.add_to_server(handlers, service_names(service, settings))
    if settings.channelz:
        # It checks the type of the server, so it gets the server itself.
        from grpc_channelz.v1 import channelz  # noqa: PLC0415 - only imported when turned on

        channelz.add_channelz_servicer(server)
    return server


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


def service_names(service: Service, settings: ServerSettings) -> tuple[str, ...]:
    """Return the full names of all services that are served."""
    names = [
        *service.service_names,
        feed_servicer.SERVICE_NAME,
        *consumer_servicers.SERVICE_NAMES,
        audit_servicer.SERVICE_NAME,
        health.SERVICE_NAME,
    ]
    if settings.channelz:
        names.append("grpc.channelz.v1.Channelz")
    return (*names, *reflection.SERVICE_NAMES)


def _options(settings: ServerSettings) -> Mapping[str, int]:
    age_s, grace_s = settings.max_connection_age_s, settings.max_connection_age_grace_s
    age = {
        "grpc.max_connection_age_ms": round(age_s * 1000),
        "grpc.max_connection_age_grace_ms": round(grace_s * 1000),
    }
    return {
        # Otherwise a second process could bind the same port unnoticed and get half of the calls.
        "grpc.so_reuseport": 0,
        "grpc.keepalive_time_ms": KEEPALIVE_TIME_MS,
        "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
        "grpc.keepalive_permit_without_calls": 1,
        "grpc.http2.min_ping_interval_without_data_ms": MIN_PING_INTERVAL_MS,
        "grpc.max_receive_message_length": MAX_REQUEST_BYTES,
        "grpc.enable_channelz": int(settings.channelz),
        **(age if age_s else {}),
    }
