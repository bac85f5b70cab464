"""Starts the web applications of a suite and the login, and stops them."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.fernet import Fernet

from scripts.suite.cluster import Cluster
from scripts.suite.consul import free_ports
from scripts.suite.edge import edge_url
from scripts.suite.issuer import Issuer
from scripts.suite.login.running_login import login_url, running_login
from scripts.suite.processes.interruption import SuiteStop
from scripts.suite.processes.slot import ProcessSlot
from scripts.suite.secure import credentials
from scripts.suite.secure.private_files import private_folder
from scripts.suite.web.applications import INSTANCES, PATHS, PORTS, Shared, home, login_client


@dataclass(frozen=True, slots=True)
class SuitePages:
    """Running web applications; browsers reach them through the edge at `public_url`."""

    public_url: str
    login: ProcessSlot
    instances: Sequence[ProcessSlot]

    @property
    def slots(self) -> list[ProcessSlot]:
        """All processes."""
        return [self.login, *self.instances]

    def url(self, application: str) -> str:
        """Where a browser begins."""
        return f"{self.public_url}{home(application)}"


@asynccontextmanager
async def running_pages(
    suite: Cluster,
    folder: Path,
    *,
    edge_port: int,
    first_port: int | None = None,
    stop: SuiteStop | None = None,
) -> AsyncIterator[SuitePages]:
    """Start login and applications for an edge that listens, or will, at `edge_port`.

    The edge needs `EDGE_SETTINGS`. With `first_port` the login listens there and the instances on
    the ports after it, otherwise on free ones; `stop` gets the processes. Returns once all are
    registered. Raises StartError.
    """
    secured = None if suite.access is None else suite.access.credentials
    login_port, *ports = (
        free_ports(PORTS) if first_port is None else range(first_port, first_port + PORTS)
    )
    shared = Shared(
        public_url=edge_url(edge_port, secured),
        login_url=login_url(login_port),
        consul=suite.consul.address,
        session_key=Fernet.generate_key().decode(),
        credentials=secured,
    )
    slots = list(_slots(shared, folder, ports))
    if stop is not None:
        stop.include(slots)
    async with running_login(
        [login_client(application, shared.public_url) for application in PATHS],
        keys_file=_issuer_keys(suite, folder),
        folder=folder,
        port=login_port,
        clock=suite.clock,
        stop=stop,
    ) as login:
        try:
            for slot in slots:
                await slot.start()
            await replace(suite, slots=slots).wait_registered()
            yield SuitePages(shared.public_url, login, slots)
        finally:
            await asyncio.gather(*(slot.stop() for slot in slots))


def _slots(shared: Shared, folder: Path, ports: Sequence[int]) -> Iterator[ProcessSlot]:
    left = iter(ports)
    for application, instances in INSTANCES.items():
        for number in range(1, instances + 1):
            environment = shared.environment(application, number, next(left))
            log = folder / "logs" / f"{application}-{number}.log"
            yield ProcessSlot(application, number, f"services.{application}", log, environment)


def _issuer_keys(suite: Cluster, folder: Path) -> Path:
    """The file with the keys that sign: those of a secure suite, or new ones."""
    if suite.access is not None:
        return suite.access.credentials.folder / credentials.ISSUER_KEYS
    file = private_folder(folder.absolute() / credentials.FOLDER) / credentials.ISSUER_KEYS
    Issuer(clock=suite.clock).save(file)
    return file
