"""The credentials of a server whose callers must all have a certificate."""

import grpc

from discovery.tls.certificates import Certificates, CertificateSource


def server_credentials(source: CertificateSource) -> grpc.ServerCredentials:
    """Return credentials that show each new connection the newest certificates of `source`.

    A connection that is open when they change goes on. gRPC asks for them in a thread of its own,
    while a handshake waits, so nothing is read or fetched here.
    """
    used = source.current

    def newest() -> grpc.ServerCertificateConfiguration | None:
        """The certificates if they are new; None keeps those that gRPC has loaded."""
        nonlocal used
        current = source.current
        if current is used:
            return None
        used = current
        return _configuration(current)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(used),
        newest,  # type: ignore[arg-type] # it may return None, which its stubs don't know
        require_client_authentication=True,
    )


def _configuration(certificates: Certificates) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(certificates.key, certificates.chain)], root_certificates=certificates.roots
    )
