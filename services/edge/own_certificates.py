"""Which certificates the edge shows, and whether it may start without."""

import random

from discovery.clock import Clock
from services.chassis.environment import read
from services.chassis.identity.mode import is_secure
from services.chassis.identity.security import identity_of
from services.chassis.identity.settings import TlsSettings, TokenSettings
from services.edge.control_plane.envoy_publisher import CertificateSources
from services.edge.settings import EdgeSettings

# The name in the edge's certificate, by which services know it.
NAME = "edge"


async def own_certificates(
    settings: EdgeSettings, *, clock: Clock, rng: random.Random
) -> CertificateSources:
    """Return the certificates that the environment asks for; wait for Consul if they are its own.

    Raises SettingError for settings that can't be right, and for an address that other machines
    reach without what keeps strangers out.
    """
    tls = read(TlsSettings)
    if not is_secure(tls, read(TokenSettings), {"TRADEPOST_EDGE_HOST": settings.host}):
        return CertificateSources()
    # Nobody calls the edge as a service, so the intentions about that are not watched.
    to_services, _ = await identity_of(NAME, tls, clock=clock, rng=rng)
    return CertificateSources(to_services)
