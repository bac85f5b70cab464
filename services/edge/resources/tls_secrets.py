"""SDS: the certificates that Envoy shows, and the authorities that it trusts.

They are resources of their own, because a change of a listener or a cluster ends its connections.
New secrets are used by connections that are made from then on; open ones go on.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from envoy.config.core.v3 import base_pb2, config_source_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2

from discovery.tls.certificates import Certificates
from discovery.tls.spiffe import SpiffeIds

_IDENTITY = "identity"
_AUTHORITIES = "authorities"
_PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class ServiceTls:
    """What the edge shows to services, whose certificates it trusts, and their SPIFFE ids."""

    certificates: Certificates = field(repr=False)
    ids: SpiffeIds


@dataclass(frozen=True, slots=True)
class EdgeCertificates:
    """What the edge shows to services and to callers; to whom it shows nothing, without TLS."""

    to_services: ServiceTls | None = None
    to_callers: Certificates | None = field(default=None, repr=False)


NO_CERTIFICATES = EdgeCertificates()


def tls_secrets(certificates: EdgeCertificates) -> Iterator[secret_pb2.Secret]:
    """Yield the secrets; they contain private keys."""
    if certificates.to_services is not None:
        own = certificates.to_services.certificates
        yield _shown(_IDENTITY, own)
        yield secret_pb2.Secret(
            name=_AUTHORITIES,
            validation_context=common_pb2.CertificateValidationContext(
                trusted_ca=base_pb2.DataSource(inline_bytes=own.roots)
            ),
        )
    if certificates.to_callers is not None:
        yield _shown(_PUBLIC, certificates.to_callers)


def identity() -> secret_pb2.SdsSecretConfig:
    """Return the reference to the certificate that services are shown."""
    return _reference(_IDENTITY)


def authorities() -> secret_pb2.SdsSecretConfig:
    """Return the reference to the authorities that sign the certificates of services."""
    return _reference(_AUTHORITIES)


def public_certificate() -> secret_pb2.SdsSecretConfig:
    """Return the reference to the certificate that callers are shown."""
    return _reference(_PUBLIC)


def _shown(name: str, certificates: Certificates) -> secret_pb2.Secret:
    return secret_pb2.Secret(
        name=name,
        tls_certificate=common_pb2.TlsCertificate(
            certificate_chain=base_pb2.DataSource(inline_bytes=certificates.chain),
            private_key=base_pb2.DataSource(inline_bytes=certificates.key),
        ),
    )


def _reference(name: str) -> secret_pb2.SdsSecretConfig:
    source = config_source_pb2.ConfigSource(
        resource_api_version=config_source_pb2.V3,
        ads=config_source_pb2.AggregatedConfigSource(),
    )
    return secret_pb2.SdsSecretConfig(name=name, sds_config=source)
