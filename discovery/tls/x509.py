"""Reads certificates: whether they can be used together, whom they name, and when they are valid.

Each function raises InvalidCertificatesError for what can't be read, also for a damaged part of a
certificate. The package cryptography is imported on first use, so that `discovery` runs without it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from discovery.errors import InvalidCertificatesError
from discovery.tls.certificates import Certificates
from discovery.tls.spiffe import PREFIX

if TYPE_CHECKING:
    from cryptography import x509

    Kind: TypeAlias = x509.DNSName | x509.UniformResourceIdentifier


def check(certificates: Certificates) -> None:
    """Check that all three parts can be read, and that the key is that of the certificate.

    The error says what is wrong; it never contains the key.
    """
    _need_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    leaf = _leaf(certificates.chain)
    try:
        key = load_pem_private_key(certificates.key, password=None)
    except TypeError:
        raise InvalidCertificatesError(
            "the private key needs a password, give one without"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidCertificatesError("the private key isn't a PEM key of a known kind") from None
    with _reading("certificate"):
        public_key = leaf.public_key()
    if key.public_key() != public_key:
        raise InvalidCertificatesError("the private key isn't that of the certificate")
    server_names(certificates.chain)
    with _reading("roots"):
        _read(certificates.roots)


def spiffe_id(chain: bytes) -> str:
    """The SPIFFE id of a certificate, the first of the chain; "" if it hasn't exactly one.

    gRPC tells a peer's id in this case only.
    """
    _need_cryptography()
    from cryptography import x509  # noqa: PLC0415

    identifiers = _alternative_names(_leaf(chain), x509.UniformResourceIdentifier)
    return identifiers[0] if len(identifiers) == 1 and identifiers[0].startswith(PREFIX) else ""


def server_names(chain: bytes) -> Sequence[str]:
    """The names by which TLS knows a server, from its certificate, the first of the chain.

    These are its DNS names, or its common name if it has none of them.
    """
    _need_cryptography()
    from cryptography import x509  # noqa: PLC0415

    return _alternative_names(_leaf(chain), x509.DNSName) or [common_name(chain)]


def common_name(chain: bytes) -> str:
    """The common name of a certificate, the first of the chain; "" if it has none."""
    _need_cryptography()
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    with _reading("certificate"):
        names = _leaf(chain).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def validity(pem: bytes) -> list[tuple[datetime, datetime]]:
    """From when to when each certificate of a PEM text is valid; times are UTC."""
    _need_cryptography()
    with _reading("certificates"):
        return [(one.not_valid_before_utc, one.not_valid_after_utc) for one in _read(pem)]


def _alternative_names(leaf: "x509.Certificate", kind: "type[Kind]") -> list[str]:
    from cryptography import x509  # noqa: PLC0415

    with _reading("names of the certificate"):
        try:
            names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return []
        return names.get_values_for_type(kind)


def _leaf(chain: bytes) -> "x509.Certificate":
    with _reading("certificate"):
        return _read(chain)[0]


def _read(pem: bytes) -> "list[x509.Certificate]":
    """The certificates of a PEM text, at least one."""
    from cryptography import x509  # noqa: PLC0415

    return x509.load_pem_x509_certificates(pem)


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Turn each error by which cryptography says that a part is damaged into one of ours.

    It reads most parts only when they are asked for.
    """
    from cryptography import x509  # noqa: PLC0415
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415

    damaged = (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension)
    try:
        yield
    except InvalidCertificatesError:
        raise
    except damaged as error:
        raise InvalidCertificatesError(f"the {what} can't be read: {error}") from None


def _need_cryptography() -> None:
    try:
        import cryptography  # noqa: F401, PLC0415
    except ImportError as error:
        message = "certificates need the package cryptography: pip install tradepost[tls]"
        raise InvalidCertificatesError(message) from error
