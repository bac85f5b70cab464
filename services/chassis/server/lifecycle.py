"""The life of a serving process.

Start:  1. listen on the port          Stop:  7. report NOT_SERVING
        2. check that the id is free          8. deregister
        3. start the background tasks         9. keep serving while callers notice
        4. report SERVING                    10. end streams, drivers and health watches
        5. register                          11. let calls in flight finish, and stop
        6. wait for a signal or a drain

The steps of the stop are pushed on an exit stack during the start, so they run in reverse order.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

import grpc

from discovery.clock import Clock
from discovery.registry.instance import Instance
from discovery.registry.protocols import Registrar, RegistryError
from discovery.registry.registration import InstanceIdTakenError, Registration
from services.chassis.environment import SettingError
from services.chassis.identity.caller import UNKNOWN, Caller
from services.chassis.identity.security import OPEN, Security
from services.chassis.ids import IdFactory
from services.chassis.server import assembly, background, process
from services.chassis.server.instance.health import HealthServicer, is_serving
from services.chassis.server.instrumentation import Recorders
from services.chassis.server.layers.admission import Admission
from services.chassis.server.layers.peer_check import PeerCheck
from services.chassis.server.program import on_first_signal
from services.chassis.server.service_definition import Hook, Service
from services.chassis.server.settings import ServerSettings
from services.chassis.telemetry import logs

INSTANCE_ID = "TRADEPOST_INSTANCE_ID"
ID_CHECK_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that listens, with the parts that tests look at."""

    port: int
    instance: Instance
    health: HealthServicer
    admission: Admission

    @property
    def endpoint(self) -> str:
        """Where it is called."""
        return self.instance.endpoint


async def serve(
    service: Service,
    *,
    settings: ServerSettings,
    registrar: Registrar | None,
    clock: Clock,
    ids: IdFactory,
    rng: random.Random,
    log_level: str = "info",
    recorders: Recorders | None = None,
    security: Security = OPEN,
    ready: Callable[[int], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Run a service until SIGTERM, SIGINT or `stop`; `ready` is called with the port.

    Lines below `log_level` are not logged. `recorders` are set where spans or metrics are exported.
    Without `security` it serves everybody. Raises CannotListenError.
    """
    process.tune(batch_scheduling=settings.batch_scheduling)
    logs.configure(level=log_level)
    log = logs.get_logger("server")
    stop = stop or asyncio.Event()
    with on_first_signal(stop.set) as begin_stop:
        async with running(
            service,
            settings=settings,
            registrar=registrar,
            clock=clock,
            ids=ids,
            rng=rng,
            recorders=recorders,
            security=security,
            begin_stop=begin_stop,
        ) as server:
            logs.identify(service=service.name, instance=server.instance.instance_id)
            log.info("serving", port=server.port)
            if ready is not None:
                ready(server.port)
            await stop.wait()
            log.info("draining", port=server.port)
    log.info("stopped")


@asynccontextmanager
async def running(
    service: Service,
    *,
    settings: ServerSettings,
    clock: Clock,
    ids: IdFactory,
    rng: random.Random,
    registrar: Registrar | None = None,
    recorders: Recorders | None = None,
    security: Security = OPEN,
    begin_stop: Callable[[], object] | None = None,
) -> AsyncIterator[RunningServer]:
    """Serve while the block runs, without signals or settings of the process, as tests need it.

    With `security` callers are known, and so is the service in the events of its own work. An
    operator who drains the instance calls `begin_stop`; without it nobody can.
    """
    logs.ensure_configured()
    async with AsyncExitStack() as stop_steps:
        start = await stop_steps.enter_async_context(background.tasks(_actor(service, security)))
        admission = assembly.admission_of(service, settings, clock=clock)
        peer_check = assembly.peer_check_of(security)
        health = _health_of(service, settings, security, ids)
        server = assembly.build(
            service,
            settings,
            security,
            clock=clock,
            ids=ids,
            admission=admission,
            peer_check=peer_check,
            health_servicer=health,
            recorders=recorders,
        )
        port = await assembly.listen(server, settings.listening_address, security.certificates)
        stop_steps.push_async_callback(_finish, service, server, health, settings)
        instance = _instance(service, settings, port, health.incarnation)
        assembly.add_instance_service(server, service, instance, clock, begin_stop)
        await server.start()
        checks = assembly.checks(service, settings, security, health, clock=clock, ids=ids)
        instance = replace(instance, health_endpoint=await stop_steps.enter_async_context(checks))
        registration = await _registration(registrar, instance, security, clock=clock, rng=rng)
        for work in _background(service, security, peer_check, admission, recorders, clock=clock):
            start(work)
        stop_steps.push_async_callback(_leave, health, registration, clock, settings.drain_s)
        health.serving()
        if registration is not None:
            start(registration.run)
        yield RunningServer(port, instance, health, admission)


def _actor(service: Service, security: Security) -> Caller:
    return UNKNOWN if security.is_open else Caller(service=service.name)


def _health_of(
    service: Service, settings: ServerSettings, security: Security, ids: IdFactory
) -> HealthServicer:
    names = assembly.service_names(service, settings, security)
    health = HealthServicer(names, incarnation=ids.new("inc"))
    if service.database is not None:
        service.database.silence.on_change(health.store_silent)
    return health


def _background(
    service: Service,
    security: Security,
    peer_check: PeerCheck | None,
    admission: Admission,
    recorders: Recorders | None,
    *,
    clock: Clock,
) -> Iterator[Callable[[], Awaitable[None]]]:
    yield from (*security.background, *service.background, *service.consumed.background)
    if service.retention is not None:
        yield service.retention.run
    if peer_check is not None:
        yield peer_check.run
    yield from _measured(service, admission, recorders, clock)


def _measured(
    service: Service, admission: Admission, recorders: Recorders | None, clock: Clock
) -> Iterator[Callable[[], Awaitable[None]]]:
    """Show the metrics of the process, where any are exported; yield the task that samples."""
    if recorders is None or recorders.metrics is None:
        return
    # This imports OpenTelemetry, which only a measured process shall do.
    from services.chassis.monitoring import process_values, sampler, store_tables  # noqa: PLC0415

    process_values.show_admission(recorders.metrics, admission)
    if service.leases is not None:
        process_values.show_leases(recorders.metrics, service.leases)
    if service.database is not None:
        process_values.show_store(recorders.metrics, service.database)
        tables = service.sampled
        if service.retention is not None:
            process_values.show_retention(recorders.metrics, service.retention)
            tables = (*tables, store_tables.RETENTION_PASSES)
        yield sampler.sampler_of(
            recorders.metrics,
            database=service.database,
            tables=tables,
            subscriptions=service.consumed.subscriptions,
            channels=recorders.channels,
            clock=clock,
        ).run


async def _leave(
    health: HealthServicer, registration: Registration | None, clock: Clock, drain_s: float
) -> None:
    """Report NOT_SERVING, deregister, and keep serving while callers notice."""
    health.not_serving()
    try:
        if registration is not None:
            await registration.withdraw()
    finally:
        await clock.sleep(drain_s)


async def _finish(
    service: Service,
    server: grpc.aio.Server,
    health_servicer: HealthServicer,
    settings: ServerSettings,
) -> None:
    """End streams and background work, and wait for the calls in flight, at most the grace."""
    health_servicer.end()
    retention = () if service.retention is None else (service.retention.drain,)
    async with asyncio.TaskGroup() as group:
        for hook in (*service.on_drain, *service.consumed.on_drain, *retention):
            group.create_task(_call_hook(hook, settings.stop_grace_s))
        group.create_task(server.stop(settings.stop_grace_s))


async def _call_hook(hook: Hook, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            waiting = hook()
            if waiting is not None:
                await waiting
    except Exception as error:  # noqa: BLE001 - the other hooks must still run
        logs.get_logger("server").error("drain_hook_failed", exc_info=error)


def _instance(service: Service, settings: ServerSettings, port: int, incarnation: str) -> Instance:
    return Instance(
        instance_id=settings.instance_id_at(service.name, port),
        service=service.name,
        address=settings.address,
        port=port,
        meta={"version": settings.version, "protocol": "grpc", "incarnation": incarnation},
        incarnation=incarnation,
    )


async def _registration(
    registrar: Registrar | None,
    instance: Instance,
    security: Security,
    *,
    clock: Clock,
    rng: random.Random,
) -> Registration | None:
    """Prepare the registration. Raises SettingError if another process serves under the same id.

    A registry that doesn't answer keeps no service from starting.
    """
    if registrar is None:
        return None
    registration = Registration(
        registrar=registrar,
        instance=instance,
        clock=clock,
        rng=rng,
        serves=partial(is_serving, certificates=security.certificates),
        id_setting=INSTANCE_ID,
    )
    try:
        async with asyncio.timeout(ID_CHECK_TIMEOUT_S):
            await registration.refuse_taken_id()
    except InstanceIdTakenError as error:
        raise SettingError(INSTANCE_ID, str(error)) from error
    except (RegistryError, TimeoutError):
        pass  # the registration's task reports it and tries again
    return registration
