"""A whole suite on this machine: one Consul agent, some instances of each service, free ports.

Every process writes its own log under `.run/logs/`, data lie under `.run/data/`. Children
are in sessions of their own, so a Ctrl-C in the terminal reaches this program alone, which then
stops them in order; the kernel stops them where this program is killed.
"""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from discovery.clock import Clock
from discovery.registry.consul.registry import ConsulRegistry
from discovery.registry.instance import Instance
from discovery.registry.protocols import RegistryError
from scripts.suite import databases, mailbox
from scripts.suite.consul import ConsulAgent
from scripts.tools.paths import ROOT, VENV

SERVICES = ("inventory", "payment", "order", "notification")
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
POLL_S = 0.1
LOG_TAIL_LINES = 20
# Compiling what it imports takes an instance four times as long as the rest of its start.
COMPILED = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(VENV / "bytecode")}


class StartError(Exception):
    """An instance ended, or wasn't registered in time; the message ends with its log."""


@dataclass(slots=True)
class Slot:
    """One place for an instance of a service; what runs in it, `module`, can come and go."""

    service: str
    number: int
    module: str
    log: Path
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return f"{self.service}-{self.number}"

    @property
    def ended(self) -> str | None:
        """How what ran here ended; None while it runs."""
        if self.process is None:
            return "it was never started"
        status = self.process.poll()
        return None if status is None else f"status {status}"

    async def start(self) -> None:
        """Start the instance; returns before it serves.

        Not through the event loop: uvloop forks, and in a fork of a process that uses gRPC its
        handlers start threads that crash before the program is there. This one doesn't fork.
        """
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: ASYNC220 - returns once it runs
                [sys.executable, "-m", "scripts.suite.child_process", self.module],
                cwd=ROOT,
                env={**os.environ, **COMPILED, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ask the instance to drain (or to die at once) and wait until it has ended."""
        if self.process is None or self.ended:
            return
        self.process.send_signal(how)
        try:
            await asyncio.to_thread(self.process.wait, STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            await asyncio.to_thread(self.process.wait)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to what runs here, if it does."""
        if self.process is not None:
            self.process.send_signal(number)

    def tail(self) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])


@dataclass(slots=True)
class Cluster:
    """A running suite; its mail is delivered into a folder."""

    consul: ConsulAgent
    registry: ConsulRegistry
    clock: Clock
    mail: Path
    slots: Sequence[Slot] = field(default_factory=list)

    def target(self, service: str) -> str:
        """What a caller opens."""
        return f"consul://{self.consul.address}/{service}"

    async def instances(self, service: str) -> tuple[Instance, ...]:
        """The registered instances of one service, sorted by id."""
        return await self.registry.lookup(service)

    async def wait_registered(self, *, replaced: Collection[Instance] = ()) -> None:
        """Return once every slot's instance is registered, and is none of `replaced`.

        Raises StartError.
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

    async def _missing(self, replaced: Collection[Instance]) -> list[Slot]:
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
) -> AsyncIterator[Cluster]:
    """Start everything on an empty `folder`, stop everything at the end. Raises StartError.

    `environment` holds settings for all instances besides their own. With `keep` the data of an
    earlier run stay, which must be of the same kind.
    """
    for name in ("logs",) if keep else ("data", "logs"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    async with databases.opened(folder, SERVICES, postgres=postgres) as urls:
        settings = {name: {**(environment or {}), "DATABASE_URL": urls[name]} for name in SERVICES}

        def slots(consul: str) -> list[Slot]:
            return [
                _slot(folder, service, number, consul, settings[service])
                for service in SERVICES
                for number in range(1, instances + 1)
            ]

        async with started(folder, slots, clock=clock, rng=rng) as cluster:
            yield cluster


@asynccontextmanager
async def started(
    folder: Path, slots_of: Callable[[str], Sequence[Slot]], *, clock: Clock, rng: random.Random
) -> AsyncIterator[Cluster]:
    """Start an agent and the slots that are told its address, stop them at the end.

    Its log goes to the folder's `logs`. Raises StartError.
    """
    consul = ConsulAgent(log_file=folder / "logs" / "consul.log")
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


def _slot(folder: Path, service: str, number: int, consul: str, shared: Mapping[str, str]) -> Slot:
    data = folder / "data"
    environment = {
        **shared,
        "CONSUL_HTTP_ADDR": consul,
        "TRADEPOST_INSTANCE_ID": f"{service}-{number}",
        # So that PostgreSQL tells in pg_stat_activity whose connection it is.
        "PGAPPNAME": f"{service}-{number}",
        "TRADEPOST_PROCESSOR_URL": f"sqlite:///{data / 'processor'}.db",
        "TRADEPOST_PAYMENT_TESTING": "true",
        "TRADEPOST_NOTIFICATION_SENDER_URL": f"file://{_mail(folder)}",
    }
    log = folder / "logs" / f"{service}-{number}.log"
    return Slot(service, number, f"services.{service}", log, environment)


def _mail(folder: Path) -> Path:
    return folder.absolute() / "data" / mailbox.FOLDER
