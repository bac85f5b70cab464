"""A development certificate authority: its certificates name a service by SPIFFE id and DNS name.

    authority = Authority("shop.test")
    order = authority.issue("order")    # chain, key and the root

For a machine of one's own and for tests. In production certificates come from cert-manager, SPIRE
or Consul.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from discovery.clock import Clock, SystemClock
from discovery.tls.certificates import Certificates

_HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Authority:
    """Signs certificates of the services of one trust domain; its own is `valid` from now on."""

    trust_domain: str = "shop.test"
    valid: timedelta = 24 * _HOUR
    clock: Clock = field(default_factory=SystemClock)
    _key: ec.EllipticCurvePrivateKey = field(init=False, repr=False)
    _root: x509.Certificate = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = _common_name(f"root of {self.trust_domain}")
        now = self.clock.now()
        self._root = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _HOUR)
            .not_valid_after(now + self.valid)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(self._key_id, critical=False)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def _key_id(self) -> x509.SubjectKeyIdentifier:
        return x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())

    @property
    def _signed_by(self) -> x509.AuthorityKeyIdentifier:
        """Tells this authority from another one of the same name."""
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._key_id)

    @property
    def roots(self) -> bytes:
        """The certificate of the authority, in PEM."""
        return self._root.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        service: str,
        *,
        spiffe_id: str | None = None,
        roots: bytes = b"",
        not_before: timedelta = -_HOUR,
        not_after: timedelta = _HOUR,
    ) -> Certificates:
        """Sign a certificate for a service; its times are relative to now.

        `spiffe_id` is `spiffe://<trust domain>/<service>` unless it is given; "" leaves it out.
        The service trusts `roots`, by default this authority alone.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = self.clock.now()
        spiffe_id = f"spiffe://{self.trust_domain}/{service}" if spiffe_id is None else spiffe_id
        names: list[x509.GeneralName] = [x509.DNSName(service)]
        if spiffe_id:
            names.append(x509.UniformResourceIdentifier(spiffe_id))
        uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_common_name(service))
            .issuer_name(self._root.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + not_before)
            .not_valid_after(now + not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(self._signed_by, critical=False)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return Certificates(
            chain=certificate.public_bytes(serialization.Encoding.PEM),
            key=key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
            roots=roots or self.roots,
        )


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
