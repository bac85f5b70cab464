"""Certificates of the instances and of who calls them, in files of the run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc

from discovery.clock import SystemClock
from discovery.tls.certificates import CertificateSource
from discovery.tls.files import FileCertificates
from scripts.benchmarks.discovery.backends.server import NAME
from scripts.suite.secure.certificate_authority import Authority
from scripts.suite.secure.private_files import write_private


@dataclass(frozen=True, slots=True)
class FleetCertificates:
    """What makes instances secure (`settings`), and what callers show them (`source`)."""

    settings: Mapping[str, str]
    source: CertificateSource


def issue(folder: Path) -> FleetCertificates:
    """Write a certificate, which both sides use, its key and the root into the folder."""
    clock = SystemClock()
    issued = Authority(clock=clock).issue(NAME)
    certificate, key, roots = (folder / f"{NAME}.{part}" for part in ("crt", "key", "roots"))
    write_private(certificate, issued.chain)
    write_private(key, issued.key)
    write_private(roots, issued.roots)
    settings = {
        "TRADEPOST_TLS": "files",
        "TRADEPOST_TLS_CERTIFICATE_FILE": str(certificate),
        "TRADEPOST_TLS_KEY_FILE": str(key),
        "TRADEPOST_TLS_ROOTS_FILE": str(roots),
    }
    source = FileCertificates(
        certificate_file=certificate, key_file=key, roots_file=roots, clock=clock
    )
    return FleetCertificates(settings, source)


def channel_to(
    address: str, certificates: CertificateSource | None, options: tuple[tuple[str, int], ...]
) -> grpc.aio.Channel:
    """A channel of grpc.aio itself to one instance, secured by the certificates, if any."""
    if certificates is None:
        return grpc.aio.insecure_channel(address, options)
    own = certificates.current
    credentials = grpc.ssl_channel_credentials(own.roots, own.key, own.chain)
    name = ("grpc.ssl_target_name_override", certificates.server_name(NAME))
    return grpc.aio.secure_channel(address, credentials, (*options, name))
