"""Reads the certificate of a service from files, and refuses one that can't be its own."""

from cryptography import x509

from discovery.clock import Clock
from discovery.errors import InvalidCertificatesError
from discovery.tls.files import FileCertificates
from discovery.tls.x509 import spiffe_id
from services.chassis.environment import SettingError
from services.chassis.identity.settings import TlsSettings

_CERTIFICATE = "TRADEPOST_TLS_CERTIFICATE_FILE"
_FILES = f"{_CERTIFICATE}, TRADEPOST_TLS_KEY_FILE, TRADEPOST_TLS_ROOTS_FILE"


def certificates_from_files(
    settings: TlsSettings, service: str, *, clock: Clock
) -> FileCertificates:
    """Return the source of the certificates of `service`.

    Raises SettingError for files that can't be used together, for a certificate that isn't valid
    now, and for one whose SPIFFE id names another service.
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
    except InvalidCertificatesError as error:
        raise SettingError(_FILES, str(error)) from error
    chain = source.current.chain
    _check_validity(chain, clock)
    own_id = spiffe_id(chain)
    if not own_id:
        raise SettingError(
            _CERTIFICATE,
            f"has no SPIFFE id (such as spiffe://shop.example/{service}), by which others know"
            f" that it belongs to {service}",
        )
    if source.service_of(own_id) != service:
        raise SettingError(_CERTIFICATE, f"its SPIFFE id {own_id} doesn't name {service}")
    return source


def _check_validity(chain: bytes, clock: Clock) -> None:
    leaf = x509.load_pem_x509_certificates(chain)[0]
    begins, ends, now = leaf.not_valid_before_utc, leaf.not_valid_after_utc, clock.now()
    if now < begins:
        raise SettingError(_CERTIFICATE, f"is valid from {begins.isoformat()} on, not yet")
    if now >= ends:
        raise SettingError(_CERTIFICATE, f"expired at {ends.isoformat()}")
