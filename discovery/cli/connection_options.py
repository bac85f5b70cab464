"""How the commands connect to instances: the options, and what they name."""

import argparse
import asyncio
import random
from dataclasses import dataclass
from pathlib import Path

import grpc

from discovery.aio.native import Dialer
from discovery.clock import Clock
from discovery.config.mutual_tls import mutual_tls
from discovery.registry.consul.consul_certificates import ConsulCertificates
from discovery.registry.consul.registry import ConsulRegistry
from discovery.registry.protocols import RegistryError, Watcher
from discovery.registry.target import Target
from discovery.tls.certificates import CertificateSource
from discovery.tls.files import FileCertificates

_FILES = ("--certificate-file", "--key-file", "--roots-file")
HINT = (
    "Instances that speak TLS are asked with --ca-file or --tls, those that demand a certificate"
    f" with {', '.join(_FILES)}, or with --consul-certificate."
)


@dataclass(frozen=True, slots=True)
class ConnectionSecurity:
    """What secures connections: TLS by `credentials`, mutual TLS by `certificates`, or nothing."""

    credentials: grpc.ChannelCredentials | None = None
    certificates: CertificateSource | None = None

    def dialer(self, target: Target, authority: str | None) -> Dialer:
        """What connects to an instance of the target. Raises ValueError if it can't be secured."""
        tls = mutual_tls(
            target, self.certificates, credentials=None, authority=authority, options=()
        )
        return Dialer(self.credentials, authority or target.service, (), tls=tls)


def add_connection_options(command: argparse.ArgumentParser) -> None:
    """Add the options of a command that connects to instances."""
    group = command.add_argument_group("instances that speak TLS")
    group.add_argument("--tls", action="store_true", help="ask the instances over TLS")
    group.add_argument("--ca-file", metavar="FILE", help="over TLS, trusting these certificates")
    certificate, key, roots = _FILES
    group.add_argument(
        certificate, metavar="FILE", help="over mutual TLS, showing this certificate"
    )
    group.add_argument(key, metavar="FILE", help="the key of this certificate")
    group.add_argument(roots, metavar="FILE", help="the authorities to trust; each file is PEM")
    group.add_argument(
        "--consul-certificate",
        metavar="SERVICE",
        help="over mutual TLS, showing the certificate of this service from Consul's authority;"
        " needs a token with service:write for it",
    )
    group.add_argument(
        "--authority", metavar="NAME", help="what TLS checks (default: the service's name)"
    )


def connection_security(
    options: argparse.Namespace, watcher: Watcher, *, clock: Clock, rng: random.Random
) -> ConnectionSecurity:
    """Read or ask for what the options name; Consul is the agent that the watcher asks, if any.

    Raises OSError for a file that can't be read, ValueError for options or certificates that can't
    be used, and RegistryError if Consul gives no certificate.
    """
    files = [options.certificate_file, options.key_file, options.roots_file]
    if any(files) and not all(files):
        raise ValueError(f"{', '.join(_FILES)} go together")
    asked = (options.tls or options.ca_file, any(files), options.consul_certificate)
    if sum(map(bool, asked)) > 1:
        raise ValueError(
            f"--tls (--ca-file), {_FILES[0]} and --consul-certificate exclude each other"
        )
    if any(files):
        certificate, key, roots = files
        source = FileCertificates(
            certificate_file=certificate, key_file=key, roots_file=roots, clock=clock
        )
        return ConnectionSecurity(certificates=source)
    if options.consul_certificate:
        fetched = asyncio.run(_from_consul(options, watcher, clock=clock, rng=rng))
        return ConnectionSecurity(certificates=fetched)
    if options.tls or options.ca_file:
        trusted = Path(options.ca_file).read_bytes() if options.ca_file else None
        return ConnectionSecurity(credentials=grpc.ssl_channel_credentials(trusted))
    return ConnectionSecurity()


async def _from_consul(
    options: argparse.Namespace, watcher: Watcher, *, clock: Clock, rng: random.Random
) -> ConsulCertificates:
    address = watcher.address if isinstance(watcher, ConsulRegistry) else None
    service = options.consul_certificate
    try:
        return await ConsulCertificates.fetch(service, address=address, clock=clock, rng=rng)
    except RegistryError as error:
        raise RegistryError(f"no certificate of {service} from Consul: {error}") from error
