"""The life of a serving web application.

Start:  1. listen on the port          Stop:  4. tell checks that it leaves
        2. serve                              5. deregister
        3. register                           6. keep serving while the edge notices
                                              7. end live streams
                                              8. let open requests finish, and stop

The steps of the stop are pushed on an exit stack during the start, so they run in reverse order.
"""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette

from discovery.clock import Clock
from discovery.registry.consul.registry import CheckSettings, ConsulRegistry
from discovery.registry.instance import Instance
from discovery.registry.protocols import Registrar
from discovery.registry.registration import Registration
from services.chassis.identity.caller import Caller
from services.chassis.identity.consul_connect import agent_address
from services.chassis.identity.security import OPEN, Security
from services.chassis.ids import IdFactory
from services.chassis.server import background
from services.chassis.server.errors import CannotListenError
from services.chassis.server.program import on_first_signal
from services.chassis.server.settings import RegistrySettings
from services.chassis.telemetry import logs
from services.web.live import Drain
from services.web.settings import WebSettings
from services.web.tls import server_context

# Longer than an edge keeps an idle connection (Envoy: an hour): it must be the one that closes it,
# or a request may arrive at a connection that is being closed.
KEEP_ALIVE_S = 3_900
_HEALTH_PATH = "/healthz"
_BACKLOG = 1_024


async def serve(
    app: Starlette,
    settings: WebSettings,
    *,
    name: str,
    registry: RegistrySettings,
    clock: Clock,
    ids: IdFactory,
    rng: random.Random,
    security: Security = OPEN,
    ready: Callable[[int], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Run an application until SIGTERM, SIGINT or `stop`; `ready` is called with the port.

    It is registered under `name`, and serves with the certificates of `security`. Raises
    CannotListenError and SettingError.
    """
    log = logs.get_logger("server")
    stop = stop or asyncio.Event()
    with on_first_signal(stop.set):
        async with (
            registrar_of(
                registry, settings, clock=clock, rng=rng, is_secure=not security.is_open
            ) as registrar,
            running(
                app,
                settings,
                name=name,
                registrar=registrar,
                clock=clock,
                ids=ids,
                rng=rng,
                security=security,
            ) as port,
        ):
            logs.identify(service=name, instance=_instance_id(name, settings, port))
            log.info("serving", port=port)
            if ready is not None:
                ready(port)
            await stop.wait()
            log.info("draining", port=port)
    log.info("stopped")


@asynccontextmanager
async def running(
    app: Starlette,
    settings: WebSettings,
    *,
    name: str,
    clock: Clock,
    ids: IdFactory,
    rng: random.Random,
    registrar: Registrar | None = None,
    security: Security = OPEN,
) -> AsyncIterator[int]:
    """Serve while the block runs, without signals, as tests need it; yields the port."""
    logs.ensure_configured()
    drain: Drain = app.state.drain
    async with AsyncExitStack() as stop_steps:
        start = await stop_steps.enter_async_context(background.tasks(Caller(service=name)))
        listener = _listen(settings)
        server = _Server(_config(app, settings, security, start))
        serving = asyncio.create_task(server.serve([listener]))
        stop_steps.push_async_callback(_finish, server, serving)
        stop_steps.callback(drain.end_streams)
        await _started(server, serving)
        port: int = listener.getsockname()[1]
        stop_steps.push_async_callback(clock.sleep, settings.drain_s)
        if registrar is not None:
            instance = _instance(name, settings, port, incarnation=ids.new("inc"))
            registration = Registration(
                registrar=registrar, instance=instance, clock=clock, rng=rng
            )
            stop_steps.push_async_callback(registration.withdraw)
            start(registration.run)
        for work in security.background:
            start(work)
        stop_steps.callback(drain.leave)
        yield port


@asynccontextmanager
async def registrar_of(
    registry: RegistrySettings,
    settings: WebSettings,
    *,
    clock: Clock,
    rng: random.Random,
    is_secure: bool,
) -> AsyncIterator[Registrar | None]:
    """Yield the Consul agent, which asks /healthz; None if registration is turned off.

    Raises SettingError for an address that the edge couldn't dial.
    """
    if registry.kind == "none":
        yield None
        return
    settings.check_address()
    agent = ConsulRegistry(
        agent_address(registry.address),
        clock=clock,
        rng=rng,
        check=CheckSettings(http_path=_HEALTH_PATH, tls=is_secure),
    )
    try:
        yield agent
    finally:
        await agent.close()


class _Server(uvicorn.Server):
    """A server that leaves signals to `serve`, which has more to do than to stop at once."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serves = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serves.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(
    app: Starlette, settings: WebSettings, security: Security, start: background.Start
) -> uvicorn.Config:
    context = None
    if security.certificates is not None:
        context, keep_newest = server_context(security.certificates)
        start(keep_newest)
    return uvicorn.Config(
        app,
        ssl_context_factory=None if context is None else lambda *_: context,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # The edge says who the browser is in the request; nothing here asks for it.
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(settings.stop_grace_s)),
    )


def _listen(settings: WebSettings) -> socket.socket:
    """Listen, so that the port is known. Raises CannotListenError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        address = f"{settings.host}:{settings.port}"
        setting = "TRADEPOST_WEB_HOST, TRADEPOST_WEB_PORT"
        raise CannotListenError(address, setting) from error
    return listener


async def _started(server: _Server, serving: asyncio.Task[None]) -> None:
    """Return once the server serves; raise what kept it from that."""
    serves = asyncio.ensure_future(server.serves.wait())
    await asyncio.wait({serves, serving}, return_when=asyncio.FIRST_COMPLETED)
    serves.cancel()
    if serving.done():
        serving.result()


async def _finish(server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    """Let open requests finish, at most the grace."""
    server.should_exit = True
    await serving


def _instance_id(name: str, settings: WebSettings, port: int) -> str:
    return settings.instance_id or f"{name}-{settings.address}-{port}"


def _instance(name: str, settings: WebSettings, port: int, *, incarnation: str) -> Instance:
    return Instance(
        instance_id=_instance_id(name, settings, port),
        service=name,
        address=settings.address,
        port=port,
        meta={"protocol": "http", "incarnation": incarnation},
        incarnation=incarnation,
    )
