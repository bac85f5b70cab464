"""The whole suite on this machine: one Consul agent, several instances of each service, free ports.

Each process writes its own log under `.run/logs/`; data are under `.run/data/`. The processes run
in sessions of their own, so Ctrl-C in the terminal reaches only this program, which then stops them
in order. If this program is killed, the kernel kills them.
"""

import asyncio
import random
import shutil
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, product, repeat
from pathlib import Path
from typing import TypeAlias

import grpc

import discovery
from discovery.clock import Clock
from discovery.registry.consul.registry import ConsulRegistry
from discovery.registry.instance import Instance
from discovery.registry.protocols import RegistryError
from scripts.suite import databases, mailbox
from scripts.suite.consul import ConsulAgent
from scripts.suite.processes.interruption import SuiteStop
from scripts.suite.processes.slot import THIS_INSTALLATION, ProcessSlot, Programs
from scripts.suite.run_folder import StartError, expect_free, only_user
from scripts.suite.secure import credentials
from scripts.suite.secure.call_graph import OPERATOR
from scripts.suite.secure.consul_setup import secure_agent
from scripts.suite.secure.credentials import Credentials, Tls
from scripts.suite.secure.operator_access import OperatorAccess, operator_access
from scripts.suite.secure.private_files import private_folder
from services.chassis.contracts import contracts

SERVICES = tuple(contracts())
START_TIMEOUT_S = 120.0
POLL_S = 0.1

# The slots of a suite, for the address of its Consul agent and the credentials of a secure one.
ARCHIVE = "archive"

SlotsOf: TypeAlias = Callable[[str, Credentials | None], Sequence[ProcessSlot]]


@dataclass(slots=True)
class Cluster:
    """A running suite; `mail` is the folder into which its mail is delivered.

    A secure one is called by an operator's `access`.
    """

    consul: ConsulAgent
    registry: ConsulRegistry
    clock: Clock
    mail: Path
    slots: Sequence[ProcessSlot] = field(default_factory=list)
    access: OperatorAccess | None = None

    @property
    def archive(self) -> Path:
        """The folder for what a retention archives; it exists."""
        return self.mail.parent / ARCHIVE

    def target(self, service: str) -> str:
        """The target that a caller opens for a service."""
        return f"consul://{self.consul.address}/{service}"

    def open_channel(self, service: str) -> grpc.aio.Channel:
        """A channel to a service; in a secure suite its calls are an operator's."""
        if self.access is None:
            return discovery.open_channel(self.target(service))
        return self.access.open_channel(self.target(service))

    def caller_metadata(self, subject: str, role: str) -> tuple[tuple[str, str], ...]:
        """The metadata with which a person calls; none in a suite that knows nobody."""
        return () if self.access is None else self.access.metadata(subject, role)

    async def instances(self, service: str) -> tuple[Instance, ...]:
        """The registered instances of one service, sorted by id."""
        return await self.registry.lookup(service)

    async def wait_registered(self, *, replaced: Collection[Instance] = ()) -> None:
        """Return once every slot has a registered instance that is not one of `replaced`.

        Raises StartError when an instance ends, or is not registered after START_TIMEOUT_S.
        """
        give_up_s = self.clock.monotonic() + START_TIMEOUT_S
        while missing := await self._missing(replaced):
            for slot in missing:
                if slot.ended:
                    raise StartError(f"{slot.name} ended ({slot.ended}):\n{slot.tail()}")
            if self.clock.monotonic() > give_up_s:
                slot = missing[0]
                raise StartError(f"{slot.name} was not registered in time:\n{slot.tail()}")
            await self.clock.sleep(POLL_S)

    async def _missing(self, replaced: Collection[Instance]) -> list[ProcessSlot]:
        found: set[str] = set()
        for service in {slot.service for slot in self.slots}:
            listed = await self._registered(service)
            found |= {instance.instance_id for instance in listed if instance not in replaced}
        return [slot for slot in self.slots if slot.name not in found]

    async def _registered(self, service: str) -> tuple[Instance, ...]:
        try:
            return await self.instances(service)
        except RegistryError:
            return ()


@asynccontextmanager
async def running(
    folder: Path,
    *,
    instances: int,
    clock: Clock,
    rng: random.Random,
    environment: Mapping[str, str] | None = None,
    postgres: bool = False,
    keep: bool = False,
    secure: Tls | None = None,
    first_port: int | None = None,
    stop: SuiteStop | None = None,
    programs: Programs = THIS_INSTALLATION,
) -> AsyncIterator[Cluster]:
    """Start the suite in an empty `folder`; stop it at the end of the block. Raises StartError.

    `environment` holds additional settings for all instances. With `keep` the data of an earlier
    run are used again; they must be of the same database, and not those of a secure suite. With
    `first_port` Consul listens there and the instances on the ports after it; otherwise on free
    ports. `stop` gets the instances, whose code is that of `programs`. Nothing is deleted while
    another run uses the folder.
    """
    with only_user(folder):
        expect_free(first_port, _ports_of(instances) + 1)
        _empty(folder, keep=keep)
        async with databases.opened(folder, SERVICES, postgres=postgres) as urls:
            shared = {
                name: {**(environment or {}), "DATABASE_URL": urls[name]} for name in SERVICES
            }

            def slots_of(consul: str, secured: Credentials | None) -> list[ProcessSlot]:
                places = product(SERVICES, range(1, instances + 1))
                settings = {
                    service: {**shared[service], **(secured.settings(service) if secured else {})}
                    for service in SERVICES
                }
                slots = [
                    _slot(folder, service, number, consul, {**settings[service], **listening})
                    for (service, number), listening in zip(
                        places, _ports_after(first_port), strict=False
                    )
                ]
                for slot in slots:
                    slot.take_code_of(programs)
                if stop is not None:
                    stop.include(slots)
                return slots

            async with started(
                folder, slots_of, clock=clock, rng=rng, consul_port=first_port, secure=secure
            ) as cluster:
                yield cluster


def _empty(folder: Path, *, keep: bool) -> None:
    for name in ("logs",) if keep else ("data", "logs"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    archive_of(folder).mkdir(exist_ok=True)
    shutil.rmtree(folder / credentials.FOLDER, ignore_errors=True)


@asynccontextmanager
async def started(
    folder: Path,
    slots_of: SlotsOf,
    *,
    clock: Clock,
    rng: random.Random,
    consul_port: int | None = None,
    secure: Tls | None = None,
) -> AsyncIterator[Cluster]:
    """Start an agent and the slots that `slots_of` makes for it; stop them at the end.

    Its log is written to the folder's `logs`. Raises StartError.
    """
    consul = _agent(folder, consul_port, secure)
    await asyncio.to_thread(consul.start)
    async with AsyncExitStack() as stop_steps:
        stop_steps.push_async_callback(asyncio.to_thread, consul.kill)
        secured = await _secured(folder, consul, secure, clock)
        token = secured.consul_token(OPERATOR) if secured else None
        registry = ConsulRegistry(consul.address, token=token, clock=clock, rng=rng)
        stop_steps.push_async_callback(registry.close)
        access = (
            await operator_access(secured, consul.address, registry, clock=clock, rng=rng)
            if secured
            else None
        )
        slots = slots_of(consul.address, secured)
        stop_steps.push_async_callback(_stop, slots)
        for slot in slots:
            await slot.start()
        cluster = Cluster(consul, registry, clock, _mail(folder), slots, access)
        await cluster.wait_registered()
        yield cluster


async def _secured(
    folder: Path, consul: ConsulAgent, secure: Tls | None, clock: Clock
) -> Credentials | None:
    """Set up the agent of a secure suite, and write the secrets of all. Raises StartError."""
    if secure is None:
        return None
    secrets = folder / credentials.FOLDER
    return await asyncio.to_thread(
        Credentials.create, secrets, secure, consul, SERVICES, clock=clock
    )


async def _stop(slots: Iterable[ProcessSlot]) -> None:
    await asyncio.gather(*(slot.stop() for slot in slots))


def _agent(folder: Path, http_port: int | None, secure: Tls | None) -> ConsulAgent:
    log_file = folder / "logs" / "consul.log"
    if secure:
        data = private_folder(folder / credentials.FOLDER) / "consul"
        return secure_agent(data, log_file=log_file, http_port=http_port)
    return ConsulAgent(log_file=log_file, http_port=http_port)


def edge_port(first_port: int | None, instances: int) -> int | None:
    """The port of an edge in front of a suite with chosen ports: the one after the suite's."""
    return None if first_port is None else first_port + _ports_of(instances)


def _ports_of(instances: int) -> int:
    return 1 + instances * len(SERVICES)


def _ports_after(first: int | None) -> Iterator[Mapping[str, str]]:
    """For one instance after the other, the setting of its port."""
    return (
        repeat({})
        if first is None
        else ({"TRADEPOST_PORT": str(port)} for port in count(first + 1))
    )


def _slot(
    folder: Path, service: str, number: int, consul: str, shared: Mapping[str, str]
) -> ProcessSlot:
    data = folder / "data"
    environment = {
        **shared,
        "CONSUL_HTTP_ADDR": consul,
        "TRADEPOST_INSTANCE_ID": f"{service}-{number}",
        # PostgreSQL shows it in pg_stat_activity, so each connection can be traced to its instance.
        "PGAPPNAME": f"{service}-{number}",
        "TRADEPOST_PROCESSOR_URL": f"sqlite:///{data / 'processor'}.db",
        "TRADEPOST_PAYMENT_TESTING": "true",
        "TRADEPOST_NOTIFICATION_SENDER_URL": f"file://{_mail(folder)}",
    }
    log = folder / "logs" / f"{service}-{number}.log"
    return ProcessSlot(service, number, f"services.{service}", log, environment)


def archive_of(folder: Path) -> Path:
    """The folder for what a retention archives, of the suite in `folder`."""
    return folder.absolute() / "data" / ARCHIVE


def _mail(folder: Path) -> Path:
    return folder.absolute() / "data" / mailbox.FOLDER
