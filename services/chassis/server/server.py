"""A service's day: listen, say SERVING, register; wait for the signal; leave quietly.

The evening is the morning reversed: NOT_SERVING, deregister, serve on while callers notice, end
what would never end by itself, let calls in flight finish, stop.
"""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

import grpc

from discovery.clock import Clock
from discovery.registry.instance import Instance
from discovery.registry.protocols import Registrar
from discovery.registry.registration import Registration
from services.chassis.feed.servicer import WAITING_METHODS
from services.chassis.ids import IdFactory
from services.chassis.server import assembly, background, health, process
from services.chassis.server.instrumentation import Spans
from services.chassis.server.layers.admission import Admission
from services.chassis.server.service import Hook, Service
from services.chassis.server.settings import ServerSettings
from services.chassis.telemetry import logs

__all__ = ["CannotListenError", "RunningServer", "Service", "running", "serve"]


class CannotListenError(Exception):
    """The address can't be listened on: another process has the port, or it isn't ours."""

    def __init__(self, address: str) -> None:
        super().__init__(f"cannot listen on {address}")


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
    log_level: str = "info",
    spans: Spans | None = None,
    ready: Callable[[int], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Run a service until SIGTERM, SIGINT or `stop`; `ready` is told the port.

    Logs start at `log_level`; `spans` are those of the process, where it is traced.
    """
    process.settle_in()
    logs.configure(level=log_level)
    log = logs.get_logger("server")
    stop = stop or asyncio.Event()
    with _set_on_signals(stop):
        async with running(
            service,
            settings=settings,
            registrar=registrar,
            clock=clock,
            ids=ids,
            rng=rng,
            spans=spans,
        ) as server:
            log.info("serving", service=service.name, port=server.port)
            if ready is not None:
                ready(server.port)
            await stop.wait()
            log.info("draining", service=service.name, port=server.port)
    log.info("stopped", service=service.name)


@asynccontextmanager
async def running(
    service: Service,
    *,
    settings: ServerSettings,
    clock: Clock,
    ids: IdFactory,
    rng: random.Random,
    registrar: Registrar | None = None,
    spans: Spans | None = None,
) -> AsyncIterator[RunningServer]:
    """The same day without the process: no signals, no global settings. Tests stand on it."""
    logs.ensure_configured()
    async with AsyncExitStack() as day:
        start = await day.enter_async_context(background.tasks())
        admission = Admission(
            clock=clock,
            limit=settings.max_concurrent,
            max_waiting=settings.max_waiting,
            waiting_methods=service.waiting_methods | WAITING_METHODS,
            compensation_methods=service.compensation_methods,
        )
        state = health.Health(assembly.service_names(service, settings))
        server = assembly.build(
            service, settings, clock=clock, ids=ids, admission=admission, state=state, spans=spans
        )
        port = await _listen(server, f"{settings.host}:{settings.port}")
        day.push_async_callback(_finish, service, server, state, settings)
        await server.start()
        for work in (*service.background, *service.consumed.background):
            start(work)
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


async def _listen(server: grpc.aio.Server, address: str) -> int:
    try:
        return server.add_insecure_port(address)
    except RuntimeError as error:  # gRPC has written the reason to standard error
        # Only a server that was started can be stopped, and one that was not complains when it is
        # collected after its loop is gone.
        await server.start()
        await server.stop(None)
        raise CannotListenError(address) from error


async def _serve_on(clock: Clock, drain_s: float) -> None:
    """Go on serving while callers notice that they should go elsewhere."""
    await clock.sleep(drain_s)


async def _finish(
    service: Service, server: grpc.aio.Server, state: health.Health, settings: ServerSettings
) -> None:
    """End what would never end by itself, and wait for the calls in flight, at most the grace."""
    state.end()
    async with asyncio.TaskGroup() as evening:
        for hook in (*service.on_drain, *service.consumed.on_drain):
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
