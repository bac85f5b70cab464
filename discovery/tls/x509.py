"""Reads certificates: whether they can be used together, and whom they name.

The package cryptography is imported on first use, so that `discovery` runs without it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from discovery.errors import InvalidCertificatesError
from discovery.tls.certificates import Certificates
from discovery.tls.spiffe import PREFIX

if TYPE_CHECKING:
    from cryptography import x509

    Kind: TypeAlias = x509.DNSName | x509.UniformResourceIdentifier


def check(certificates: Certificates) -> None:
    """Check that all three parts can be read, and that the key is that of the certificate.

    Raises InvalidCertificatesError, which says what is wrong; it never contains the key.
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
    if key.public_key() != leaf.public_key():
        raise InvalidCertificatesError("the private key isn't that of the certificate")
    _read(certificates.roots, "roots")


def spiffe_id(chain: bytes) -> str:
    """The SPIFFE id of a certificate, the first of the chain; "" if it hasn't exactly one.

    gRPC tells a peer's id in this case only. Raises InvalidCertificatesError if the chain can't be
    read.
    """
    _need_cryptography()
    from cryptography import x509  # noqa: PLC0415

    identifiers = _alternative_names(_leaf(chain), x509.UniformResourceIdentifier)
    return identifiers[0] if len(identifiers) == 1 and identifiers[0].startswith(PREFIX) else ""


def server_names(chain: bytes) -> Sequence[str]:
    """The names by which TLS knows a server, from its certificate, the first of the chain.

    These are its DNS names, or its common name if it has none of them. Raises
    InvalidCertificatesError if the chain can't be read.
    """
    _need_cryptography()
    from cryptography import x509  # noqa: PLC0415

    return _alternative_names(_leaf(chain), x509.DNSName) or [common_name(chain)]


def common_name(chain: bytes) -> str:
    """The common name of a certificate, the first of the chain; "" if it has none.

    Raises InvalidCertificatesError if the chain can't be read.
    """
    _need_cryptography()
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    names = _leaf(chain).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _alternative_names(leaf: "x509.Certificate", kind: "type[Kind]") -> list[str]:
    from cryptography import x509  # noqa: PLC0415

    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    except (ValueError, x509.DuplicateExtension) as error:
        raise InvalidCertificatesError(f"the certificate's names can't be read: {error}") from None
    return names.get_values_for_type(kind)


def _leaf(chain: bytes) -> "x509.Certificate":
    return _read(chain, "certificate")[0]


def _read(pem: bytes, what: str) -> "list[x509.Certificate]":
    """The certificates of a PEM text, at least one."""
    from cryptography import x509  # noqa: PLC0415

    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise InvalidCertificatesError(f"the {what} can't be read: {error}") from None


def _need_cryptography() -> None:
    try:
        import cryptography  # noqa: F401, PLC0415
    except ImportError as error:
        message = "certificates need the package cryptography: pip install tradepost[tls]"
        raise InvalidCertificatesError(message) from error
