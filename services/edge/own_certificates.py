"""Which certificates the edge shows, and whether it may start without."""

import random

from discovery.clock import Clock
from discovery.errors import InvalidCertificatesError
from discovery.tls.files import FileCertificates
from services.chassis.environment import SettingError, read
from services.chassis.identity.certificate_files import check_valid_now
from services.chassis.identity.mode import is_loopback, is_secure
from services.chassis.identity.security import identity_of
from services.chassis.identity.settings import TlsSettings, TokenSettings
from services.edge.control_plane.envoy_publisher import CertificateSources
from services.edge.settings import ListenerTlsSettings

# The name in the edge's certificate, by which services know it.
NAME = "edge"
_HOST = "TRADEPOST_EDGE_HOST"
_CERTIFICATE = "TRADEPOST_EDGE_CERTIFICATE_FILE"
_FILES = f"{_CERTIFICATE}, TRADEPOST_EDGE_KEY_FILE"


async def own_certificates(host: str, *, clock: Clock, rng: random.Random) -> CertificateSources:
    """Return the certificates of an edge that listens on `host`, as the environment asks for them.

    Waits for Consul if they are its own. Raises SettingError for settings that can't be right, and
    for a host that other machines reach without all that keeps strangers out: TLS to callers, TLS
    to services, and tokens.
    """
    tls = read(TlsSettings)
    to_callers = _to_callers(read(ListenerTlsSettings), clock)
    if to_callers is None and not tls.insecure:
        _check_loopback(host)
    if not is_secure(tls, read(TokenSettings), {_HOST: host}):
        return CertificateSources(to_callers=to_callers)
    # Nobody calls the edge as a service, so the intentions about that are not watched.
    to_services, _ = await identity_of(NAME, tls, clock=clock, rng=rng)
    return CertificateSources(to_services, to_callers)


def _to_callers(settings: ListenerTlsSettings, clock: Clock) -> FileCertificates | None:
    if settings.certificate_file is None or settings.key_file is None:
        return None
    try:
        source = FileCertificates(
            certificate_file=settings.certificate_file,
            key_file=settings.key_file,
            # Callers show no certificates, so no authority is trusted; a file has to be named.
            roots_file=settings.certificate_file,
            clock=clock,
        )
        check_valid_now(source.current.chain, _CERTIFICATE, clock.now())
    except InvalidCertificatesError as error:
        raise SettingError(_FILES, str(error)) from error
    return source


def _check_loopback(host: str) -> None:
    if not is_loopback(host):
        raise SettingError(
            _HOST,
            f"{host!r} is reached from other machines, and without TLS others could read and use"
            " the tokens of callers: set TRADEPOST_EDGE_CERTIFICATE_FILE and"
            " TRADEPOST_EDGE_KEY_FILE, beside TRADEPOST_TLS and TRADEPOST_JWKS_URL, or"
            " TRADEPOST_INSECURE=yes if the network keeps others away",
        )
