"""The whole suite on this machine: one Consul agent, several instances of each service, free ports.

Each process writes its own log under `.run/logs/`; data are under `.run/data/`. The processes run
in sessions of their own, so Ctrl-C in the terminal reaches only this program, which then stops them
in order. If this program is killed, the kernel kills them.
"""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, product, repeat
from pathlib import Path

from discovery.clock import Clock
from discovery.registry.consul.registry import ConsulRegistry
from discovery.registry.instance import Instance
from discovery.registry.protocols import RegistryError
from scripts.suite import databases, mailbox
from scripts.suite.consul import ConsulAgent
from scripts.suite.run_folder import StartError, expect_free, only_user
from scripts.suite.slot import ProcessSlot

SERVICES = ("inventory", "payment", "order", "notification")
START_TIMEOUT_S = 60.0
POLL_S = 0.1


@dataclass(slots=True)
class Cluster:
    """A running suite; `mail` is the folder into which its mail is delivered."""

    consul: ConsulAgent
    registry: ConsulRegistry
    clock: Clock
    mail: Path
    slots: Sequence[ProcessSlot] = field(default_factory=list)

    def target(self, service: str) -> str:
        """The target that a caller opens for a service."""
        return f"consul://{self.consul.address}/{service}"

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
    first_port: int | None = None,
) -> AsyncIterator[Cluster]:
    """Start the suite in an empty `folder`; stop it at the end of the block. Raises StartError.

    `environment` holds additional settings for all instances. With `keep` the data of an earlier
    run are used again; they must be of the same database. With `first_port` Consul listens there
    and the instances on the ports after it; otherwise on free ports. Nothing is deleted while
    another run uses the folder.
    """
    with only_user(folder):
        expect_free(first_port, 1 + instances * len(SERVICES))
        for name in ("logs",) if keep else ("data", "logs"):
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).mkdir(parents=True)
        async with databases.opened(folder, SERVICES, postgres=postgres) as urls:
            shared = {
                name: {**(environment or {}), "DATABASE_URL": urls[name]} for name in SERVICES
            }

            def slots(consul: str) -> list[ProcessSlot]:
                return [
                    _slot(folder, service, number, consul, {**shared[service], **listening})
                    for (service, number), listening in zip(
                        product(SERVICES, range(1, instances + 1)),
                        _ports_after(first_port),
                        strict=False,
                    )
                ]

            async with started(
                folder, slots, clock=clock, rng=rng, consul_port=first_port
            ) as cluster:
                yield cluster


@asynccontextmanager
async def started(
    folder: Path,
    slots_of: Callable[[str], Sequence[ProcessSlot]],
    *,
    clock: Clock,
    rng: random.Random,
    consul_port: int | None = None,
) -> AsyncIterator[Cluster]:
    """Start an agent and the slots that `slots_of` makes for its address; stop them at the end.

    Its log is written to the folder's `logs`. Raises StartError.
    """
    consul = ConsulAgent(log_file=folder / "logs" / "consul.log", http_port=consul_port)
    await asyncio.to_thread(consul.start)
    registry = ConsulRegistry(consul.address, clock=clock, rng=rng)
    slots = slots_of(consul.address)
    try:
        for slot in slots:
            await slot.start()
        cluster = Cluster(consul, registry, clock, _mail(folder), slots)
        await cluster.wait_registered()
        yield cluster
    finally:
        await asyncio.gather(*(slot.stop() for slot in slots))
        await registry.close()
        await asyncio.to_thread(consul.kill)


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


def _mail(folder: Path) -> Path:
    return folder.absolute() / "data" / mailbox.FOLDER
