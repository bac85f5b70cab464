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
from services.chassis.identity.authentication import Authentication
from services.chassis.identity.consul_connect import from_consul
from services.chassis.identity.mode import is_secure
from services.chassis.identity.peer import peer_of
from services.chassis.identity.settings import TlsSettings, TokenSettings


@dataclass(frozen=True, slots=True)
class Security:
    """The identity of a process and its view of others; in the open mode it has neither.

    With `authentication` callers are known. `intentions` are Consul's, where certificates come from
    it. The server runs `background` while it serves.
    """

    certificates: CertificateSource | None = None
    intentions: ConsulIntentions | None = None
    background: Sequence[Callable[[], Awaitable[None]]] = ()
    authentication: Authentication | None = None

    @property
    def is_open(self) -> bool:
        """Whether everybody may call everything."""
        return self.certificates is None and self.authentication is None


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
    tokens = read(TokenSettings)
    if not is_secure(tls, tokens, addresses):
        yield OPEN
        return
    certificates, intentions = await identity_of(service, tls, clock=clock, rng=rng)
    authentication, keep_keys = _authentication(tokens, certificates, clock=clock)
    watched = () if intentions is None else (intentions.run,)
    background = (partial(keep_reading, certificates), keep_keys, *watched)
    yield Security(certificates, intentions, background, authentication)


async def identity_of(
    service: str, tls: TlsSettings, *, clock: Clock, rng: random.Random
) -> tuple[CertificateSource, ConsulIntentions | None]:
    """Return the certificates of `service`, and Consul's intentions about who may call it.

    `tls` must not be `none`; with `files` there are no intentions. Raises SettingError.
    """
    if tls.tls == "consul":
        return await from_consul(service, clock=clock, rng=rng)
    # It loads a library that an open process doesn't need.
    from services.chassis.identity.certificate_files import (  # noqa: PLC0415
        certificates_from_files,
    )

    return certificates_from_files(tls, service, clock=clock), None


def _authentication(
    tokens: TokenSettings, certificates: CertificateSource, *, clock: Clock
) -> tuple[Authentication, Callable[[], Awaitable[None]]]:
    """Return the authentication, and the task that keeps the issuer's keys current."""
    # These load libraries that an open process doesn't need.
    from services.chassis.identity.issuer_keys import IssuerKeys  # noqa: PLC0415
    from services.chassis.identity.key_set import fetch  # noqa: PLC0415
    from services.chassis.identity.tokens import TokenVerifier  # noqa: PLC0415

    keys = IssuerKeys(fetch=partial(fetch, tokens.jwks_url), clock=clock)
    verifier = TokenVerifier(
        keys=keys, issuer=tokens.token_issuer, audience=tokens.token_audience, clock=clock
    )
    return Authentication(peer_of(certificates), verifier.verify), keys.run


async def keep_reading(source: CertificateSource) -> None:
    """Have the source look for new certificates, until cancelled; it logs what it finds."""
    known = source.current
    while True:
        known = await source.changed(known)
