"""How connections are encrypted, and whom the other side must prove to be."""

from envoy.config.core.v3 import base_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, tls_pb2
from envoy.type.matcher.v3 import string_pb2
from google.protobuf.wrappers_pb2 import UInt32Value

from services.edge.resources.packing import packed
from services.edge.resources.tls_secrets import authorities, identity, public_certificate

_NAME = "envoy.transport_sockets.tls"
_Context = tls_pb2.CommonTlsContext


def service_socket(spiffe_id: str, *, protocol: str = "h2") -> base_pb2.TransportSocket:
    """Return mutual TLS to the instances of a service, which speak this protocol (ALPN).

    An instance must have a certificate with exactly this SPIFFE id, whatever its address is; the
    certificates of Consul name nothing else. They are asked for no name (SNI): each has one
    certificate, and gRPC would log an error for a name that this doesn't have.
    """
    name = common_pb2.SubjectAltNameMatcher(
        san_type=common_pb2.SubjectAltNameMatcher.URI,
        matcher=string_pb2.StringMatcher(exact=spiffe_id),
    )
    validation = _Context.CombinedCertificateValidationContext(
        default_validation_context=common_pb2.CertificateValidationContext(
            match_typed_subject_alt_names=[name]
        ),
        validation_context_sds_secret_config=authorities(),
    )
    context = tls_pb2.UpstreamTlsContext(
        common_tls_context=_Context(
            tls_params=_parameters(),
            tls_certificate_sds_secret_configs=[identity()],
            combined_validation_context=validation,
            alpn_protocols=[protocol],
        ),
        # A resumed session would go on with the certificates of an earlier one.
        max_session_keys=UInt32Value(value=0),
    )
    return base_pb2.TransportSocket(name=_NAME, typed_config=packed(context))


def public_socket() -> base_pb2.TransportSocket:
    """Return TLS to callers; who they are, their tokens say."""
    context = tls_pb2.DownstreamTlsContext(
        common_tls_context=_Context(
            tls_params=_parameters(),
            tls_certificate_sds_secret_configs=[public_certificate()],
            alpn_protocols=["h2", "http/1.1"],
        )
    )
    return base_pb2.TransportSocket(name=_NAME, typed_config=packed(context))


def _parameters() -> common_pb2.TlsParameters:
    return common_pb2.TlsParameters(
        tls_minimum_protocol_version=common_pb2.TlsParameters.TLSv1_2,
        tls_maximum_protocol_version=common_pb2.TlsParameters.TLSv1_3,
    )
