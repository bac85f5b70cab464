"""Opens what a process needs to prove who it is, and to know who calls it."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from discovery.clock import Clock
from discovery.registry.consul.intentions import ConsulIntentions
from discovery.tls.certificates import CertificateSource
from services.chassis.environment import read
from services.chassis.identity.certificate_files import certificates_from_files
from services.chassis.identity.consul_connect import from_consul
from services.chassis.identity.mode import is_secure
from services.chassis.identity.settings import TlsSettings, TokenSettings


@dataclass(frozen=True, slots=True)
class Security:
    """The identity of a process and its view of others; in the open mode it has neither.

    `intentions` are Consul's, where certificates come from it. The server runs `background` while
    it serves.
    """

    certificates: CertificateSource | None = None
    intentions: ConsulIntentions | None = None
    background: Sequence[Callable[[], Awaitable[None]]] = ()

    @property
    def is_open(self) -> bool:
        """Whether everybody may call everything."""
        return self.certificates is None


OPEN = Security()


@asynccontextmanager
async def secured(
    service: str, addresses: Mapping[str, str], *, clock: Clock, rng: random.Random
) -> AsyncIterator[Security]:
    """Yield the security of a service's process, as the environment asks for it.

    `addresses` are where it listens and is dialled, by the variable that says so. Raises
    SettingError for settings that can't be right, and for the open mode on an address that other
    machines reach.
    """
    tls = read(TlsSettings)
    if not is_secure(tls, read(TokenSettings), addresses):
        yield OPEN
        return
    if tls.tls == "files":
        files = certificates_from_files(tls, service, clock=clock)
        yield Security(files, background=(partial(_keep_reading, files),))
        return
    certificates, intentions = await from_consul(service, clock=clock, rng=rng)
    keep_reading = partial(_keep_reading, certificates)
    yield Security(certificates, intentions, background=(keep_reading, intentions.run))


async def _keep_reading(source: CertificateSource) -> None:
    """Have the source look for new certificates, until cancelled; it logs what it finds."""
    known = source.current
    while True:
        known = await source.changed(known)
