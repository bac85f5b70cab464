"""Reads what an agent hands out of Consul's own certificate authority (Connect).

An agent answers with a certificate of a service, valid for 72 h, its intermediates and its key, and
with the roots: two of them while a new one replaces the old. It renews the certificate after 60 to
90 % of its time, and within 30 s after a new root. Both questions may be blocking queries. For some
seconds after its start the agent answers, but has no authority yet.
"""

from dataclasses import dataclass, field
from typing import Any

from discovery.errors import InvalidCertificatesError
from discovery.registry.protocols import RegistryError
from discovery.tls import x509
from discovery.tls.certificates import Certificates
from discovery.tls.spiffe import SpiffeIds

ROOTS = "/v1/agent/connect/ca/roots"
_LEAF = "/v1/agent/connect/ca/leaf/"

# A common name has at most 64 characters (RFC 5280, appendix A.1). Consul cuts longer ones.
_LONGEST_NAME = 64
_KEPT = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")

_NO_ROOT = "the agent's authority has no root yet"
# What an agent says until its servers have a leader and this leader has started the authority.
_STARTING = (
    *("CA root is nil", "CA provider is nil", "CA is already in state", "CA is uninitialized"),
    *("cluster has no CA bootstrapped", "No cluster leader", _NO_ROOT),
)


def is_starting(error: RegistryError) -> bool:
    """Whether the authority is about to start, so that the same question succeeds soon."""
    return any(words in str(error) for words in _STARTING)


def leaf_of(service: str) -> str:
    """The path that answers with the service's certificate."""
    return f"{_LEAF}{service}"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate with its intermediates, its key, and how its authority names services.

    The common name of a certificate is the service's name and `suffix`.
    """

    chain: bytes
    key: bytes = field(repr=False)
    suffix: str
    ids: SpiffeIds = field(compare=False)

    @classmethod
    def parse(cls, service: str, data: Any) -> "Leaf":
        """Read an agent's answer. Raises RegistryError and InvalidCertificatesError."""
        chain, key = _text(data, "CertPEM"), _text(data, "PrivateKeyPEM")
        name = x509.common_name(chain)
        if not name.startswith(f"{service}."):
            raise InvalidCertificatesError(
                f"Consul's certificate of {service} is named {name!r}: gRPC checks this name, and"
                " Consul 1.11 and newer leave it out; use certificates from files"
            )
        ids = SpiffeIds.beside(_text(data, "ServiceURI").decode())
        return cls(chain, key, suffix=name.removeprefix(service), ids=ids)

    def server_name(self, service: str) -> str:
        """The common name of a service's certificate.

        Consul writes it in small letters, drops all but letters and digits, and cuts it, so "ab"
        and "a-b" get the same. Raises InvalidCertificatesError for a name that it would change.
        """
        name = service + self.suffix
        if not service or not _KEPT.issuperset(service) or len(name) > _LONGEST_NAME:
            longest = _LONGEST_NAME - len(self.suffix)
            raise InvalidCertificatesError(
                f"Consul's certificates can't prove the name {service!r}: they tell apart only"
                f" names of small letters and digits, at most {longest} of them"
            )
        return name


def parse_roots(data: Any) -> bytes:
    """The roots in an agent's answer, all that are listed, in PEM. Raises RegistryError."""
    try:
        roots = b"".join(_text(root, "RootCert") for root in data["Roots"] or ())
    except (KeyError, TypeError) as error:
        raise RegistryError(f"the agent's answer about its roots is nonsense: {error!r}") from error
    if not roots:
        raise RegistryError(_NO_ROOT)
    return roots


def combined(leaf: Leaf, roots: bytes) -> Certificates:
    """What a process needs, checked. Raises InvalidCertificatesError."""
    certificates = Certificates(chain=leaf.chain, key=leaf.key, roots=roots)
    x509.check(certificates)
    return certificates


def _text(data: Any, name: str) -> bytes:
    try:
        text: str = data[name]
        return text.encode()
    except (AttributeError, KeyError, TypeError) as error:
        raise RegistryError(f"the agent's answer has no {name}: {error!r}") from error
