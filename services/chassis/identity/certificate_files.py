"""Reads the certificate of a service from files, and refuses one that can't be its own."""

from datetime import datetime

from discovery.clock import Clock
from discovery.errors import InvalidCertificatesError
from discovery.tls.certificates import Certificates
from discovery.tls.files import FileCertificates
from discovery.tls.x509 import server_names, spiffe_id, validity
from services.chassis.environment import SettingError
from services.chassis.identity.settings import TlsSettings

_CERTIFICATE = "TRADEPOST_TLS_CERTIFICATE_FILE"
_ROOTS = "TRADEPOST_TLS_ROOTS_FILE"
_FILES = f"{_CERTIFICATE}, TRADEPOST_TLS_KEY_FILE, {_ROOTS}"


def certificates_from_files(
    settings: TlsSettings, service: str, *, clock: Clock
) -> FileCertificates:
    """Return the source of the certificates of `service`.

    Raises SettingError for files that can't be used together, for a certificate or roots that are
    not valid now, and for a certificate whose SPIFFE id or DNS names don't name the service.
    """
    certificate, key, roots = (
        settings.tls_certificate_file,
        settings.tls_key_file,
        settings.tls_roots_file,
    )
    assert certificate and key and roots  # noqa: S101, PT018 - the settings require all three
    try:
        source = FileCertificates(
            certificate_file=certificate, key_file=key, roots_file=roots, clock=clock
        )
        _check_validity(source.current, clock.now())
        _check_names(source, service)
    except InvalidCertificatesError as error:
        raise SettingError(_FILES, str(error)) from error
    return source


def check_valid_now(chain: bytes, variable: str, now: datetime) -> None:
    """Raise SettingError, which names the variable, if the first certificate of a chain is not."""
    begins, ends = validity(chain)[0]
    if now < begins:
        raise SettingError(variable, f"is valid from {begins.isoformat()} on, not yet")
    if now >= ends:
        raise SettingError(variable, f"expired at {ends.isoformat()}")


def _check_validity(certificates: Certificates, now: datetime) -> None:
    check_valid_now(certificates.chain, _CERTIFICATE, now)
    roots = validity(certificates.roots)
    # While an authority is replaced, one of two may be over or not have begun.
    if not any(begins <= now < ends for begins, ends in roots):
        ended = max(ends for _, ends in roots)
        raise SettingError(_ROOTS, f"none of them is valid now; the last ends {ended.isoformat()}")


def _check_names(source: FileCertificates, service: str) -> None:
    """Check the names by which others know that the certificate belongs to the service."""
    chain = source.current.chain
    own_id, names = spiffe_id(chain), server_names(chain)
    if not own_id:
        raise SettingError(
            _CERTIFICATE,
            f"must have one SPIFFE id (such as spiffe://shop.example/{service}), by which others"
            f" know that it belongs to {service}",
        )
    if source.service_of(own_id) != service:
        raise SettingError(_CERTIFICATE, f"its SPIFFE id {own_id} doesn't name {service}")
    if source.server_name(service) not in names:
        raise SettingError(
            _CERTIFICATE,
            f"must have the DNS name {service}, which callers check, not {', '.join(names)!r}",
        )
