"""A service's day: listen, say SERVING, register; wait for the signal; leave quietly.

The evening is the morning reversed: NOT_SERVING, deregister, serve on while callers notice, end
what would never end by itself, let calls in flight finish, stop.
"""

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from discovery.clock import Clock
from discovery.instance import Instance
from discovery.registration import Registration
from discovery.registry import Registrar
from services.chassis import background, feed, health, logs, telemetry
from services.chassis.admission import Admission
from services.chassis.deadline import Deadline
from services.chassis.error_mapping import ErrorMapping
from services.chassis.errors import Errors
from services.chassis.ids import IdFactory
from services.chassis.settings import ServerSettings, TelemetrySettings
from services.chassis.stack import Stack, layers
from services.chassis.trace import Trace

# The event loop and the database's writer thread share the interpreter: with the default of 5 ms
# a batch of 0.5 ms took 56 ms beside a busy loop, with this 4 ms.
SWITCH_INTERVAL_S = 0.0005

# What discovery's connections send (30 s, 10 s) must not look like abuse to us, and a caller that
# vanished must not hold its streams for ever (gRFC A8, A9).
KEEPALIVE_TIME_MS = 30_000
KEEPALIVE_TIMEOUT_MS = 10_000
MIN_PING_INTERVAL_MS = 10_000
MAX_REQUEST_BYTES = 4 * 1024 * 1024

Hook = Callable[[], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Service:
    """What one service brings: its name, its servicers, and what it knows of its methods.

    `servicers` add themselves to the server; `service_names` are their full names, for health and
    reflection. `waiting_methods` and `compensation_methods` are full paths ("/package.Service/
    Method"). `background` runs while the server does; when one of it fails, the server stops.
    `on_drain` is called when streams are to end: it stops drivers and wakes whoever waits.
    """

    name: str
    servicers: Sequence[Callable[[grpc.aio.Server], None]]
    service_names: Sequence[str]
    errors: Errors = field(default_factory=dict)
    waiting_methods: frozenset[str] = frozenset()
    compensation_methods: frozenset[str] = frozenset()
    background: Sequence[Callable[[], Awaitable[None]]] = ()
    on_drain: Sequence[Hook] = ()

    @property
    def domain(self) -> str:
        """The domain of its errors: "order.tradepost"."""
        return f"{self.name}.tradepost"


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that listens."""

    port: int
    endpoint: str
    health: health.Health
    admission: Admission


async def serve(
    service: Service,
    *,
    settings: ServerSettings,
    registrar: Registrar | None,
    clock: Clock,
    ids: IdFactory,
    rng: random.Random,
    telemetry_settings: TelemetrySettings | None = None,
    ready: Callable[[int], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Run a service until SIGTERM, SIGINT or `stop`; `ready` is told the port.

    Without `telemetry_settings` logs start at info and nothing is exported.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    observed = telemetry_settings or TelemetrySettings.model_construct()
    logs.configure(level=observed.log_level)
    stop = stop or asyncio.Event()
    with _set_on_signals(stop), telemetry.exporting(service.name, settings, observed) as spans:
        async with running(
            service,
            settings=settings,
            registrar=registrar,
            clock=clock,
            ids=ids,
            rng=rng,
            spans=spans,
        ) as server:
            logs.get_logger("server").info("serving", service=service.name, port=server.port)
            if ready is not None:
                ready(server.port)
            await stop.wait()
            logs.get_logger("server").info("draining", service=service.name, port=server.port)
    logs.get_logger("server").info("stopped", service=service.name)


@asynccontextmanager
async def running(
    service: Service,
    *,
    settings: ServerSettings,
    clock: Clock,
    ids: IdFactory,
    rng: random.Random,
    registrar: Registrar | None = None,
    spans: telemetry.Spans | None = None,
) -> AsyncIterator[RunningServer]:
    """The same day without the process: no signals, no global settings. Tests stand on it."""
    logs.ensure_configured()
    async with AsyncExitStack() as day:
        start = await day.enter_async_context(background.tasks())
        admission = Admission(
            limit=settings.max_concurrent,
            max_waiting=settings.max_waiting,
            waiting_methods=service.waiting_methods,
            compensation_methods=service.compensation_methods,
        )
        server = _server(service, settings, clock=clock, ids=ids, admission=admission, spans=spans)
        state = health.Health(_names(service, settings))
        _add_servicers(server, service, settings, state)
        port = server.add_insecure_port(f"{settings.host}:{settings.port}")
        for work in service.background:
            start(work)
        await server.start()
        day.push_async_callback(_finish, service, server, state, settings)
        day.push_async_callback(_serve_on, clock, settings.drain_s)
        instance = _instance(service, settings, port, ids)
        if registrar is not None:
            registration = Registration(
                registrar=registrar, instance=instance, clock=clock, rng=rng
            )
            day.push_async_callback(registration.withdraw)
        day.callback(state.not_serving)
        state.serving()
        if registrar is not None:
            start(registration.run)
        yield RunningServer(port, instance.endpoint, state, admission)


async def _serve_on(clock: Clock, drain_s: float) -> None:
    """Go on serving while callers notice that they should go elsewhere."""
    await clock.sleep(drain_s)


async def _finish(
    service: Service, server: grpc.aio.Server, state: health.Health, settings: ServerSettings
) -> None:
    """End what would never end by itself, and wait for the calls in flight, at most the grace."""
    state.end()
    async with asyncio.TaskGroup() as evening:
        for hook in service.on_drain:
            evening.create_task(_call_hook(hook, settings.stop_grace_s))
        evening.create_task(server.stop(settings.stop_grace_s))


async def _call_hook(hook: Hook, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            waiting = hook()
            if waiting is not None:
                await waiting
    except Exception as error:  # noqa: BLE001 - one that fails must not keep the others from ending
        logs.get_logger("server").error("drain hook failed", exc_info=error)


def _server(
    service: Service,
    settings: ServerSettings,
    *,
    clock: Clock,
    ids: IdFactory,
    admission: Admission,
    spans: telemetry.Spans | None,
) -> grpc.aio.Server:
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
    return grpc.aio.server(
        interceptors=[*interceptors, Stack(stack)], options=list(_options(settings).items())
    )


def _options(settings: ServerSettings) -> Mapping[str, int]:
    return {
        # Without this a second process binds the same port silently and takes half of the calls.
        "grpc.so_reuseport": 0,
        "grpc.keepalive_time_ms": KEEPALIVE_TIME_MS,
        "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
        "grpc.keepalive_permit_without_calls": 1,
        "grpc.http2.min_recv_ping_interval_without_data_ms": MIN_PING_INTERVAL_MS,
        "grpc.max_receive_message_length": MAX_REQUEST_BYTES,
        "grpc.enable_channelz": int(settings.channelz),
    }


def _names(service: Service, settings: ServerSettings) -> tuple[str, ...]:
    names = [*service.service_names, *feed.SERVICE_NAMES, health.SERVICE_NAME]
    if settings.channelz:
        names.append("grpc.channelz.v1.Channelz")
    return (*names, reflection.SERVICE_NAME)


def _add_servicers(
    server: grpc.aio.Server, service: Service, settings: ServerSettings, state: health.Health
) -> None:
    for add in service.servicers:
        add(server)
    feed.add_to_server(server)
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    reflection.enable_server_reflection(_names(service, settings), server)
    if settings.channelz:
        from grpc_channelz.v1 import channelz  # noqa: PLC0415 - only paid for when asked for

        channelz.add_channelz_servicer(server)


def _instance(service: Service, settings: ServerSettings, port: int, ids: IdFactory) -> Instance:
    address = settings.advertise_address or settings.host
    incarnation = ids.new("inc")
    return Instance(
        instance_id=settings.instance_id or f"{service.name}-{address}-{port}",
        service=service.name,
        address=address,
        port=port,
        meta={"version": settings.version, "protocol": "grpc", "incarnation": incarnation},
        incarnation=incarnation,
    )


@contextmanager
def _set_on_signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
