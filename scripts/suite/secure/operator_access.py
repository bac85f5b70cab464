"""How an operator's program reaches a secure suite: with a certificate, and people's tokens."""

import random

import grpc

import discovery
from discovery.clock import Clock
from discovery.registry.consul.agent_address import AgentAddress
from discovery.registry.consul.consul_certificates import ConsulCertificates
from discovery.registry.protocols import Watcher
from discovery.tls.certificates import CertificateSource
from discovery.tls.files import FileCertificates
from scripts.suite.secure.bearer_token import BearerTokenInterceptor, bearer
from scripts.suite.secure.call_graph import OPERATOR
from scripts.suite.secure.credentials import Credentials, Tls
from scripts.suite.secure.people import People

# The person who runs the program.
_PERSON, _ROLE = "operator-1", "OPERATOR"


class OperatorAccess:
    """Opens channels on which calls are an operator's, unless they carry another token."""

    def __init__(
        self,
        credentials: Credentials,
        certificates: CertificateSource,
        watcher: Watcher,
        *,
        clock: Clock,
    ) -> None:
        self.credentials = credentials
        self._people = People(credentials.issuer, clock=clock)
        self.certificates = certificates
        self._watcher = watcher

    def open_channel(self, target: str) -> grpc.aio.Channel:
        """Open a channel to a service."""
        return discovery.open_channel(
            target,
            watcher=self._watcher,
            certificates=self.certificates,
            interceptors=[BearerTokenInterceptor(lambda: self._people.token(_PERSON, _ROLE))],
        )

    def metadata(self, subject: str, role: str) -> tuple[tuple[str, str], ...]:
        """The metadata with which a person calls."""
        return bearer(self._people.token(subject, role))


async def operator_access(
    credentials: Credentials, consul: str, watcher: Watcher, *, clock: Clock, rng: random.Random
) -> OperatorAccess:
    """The access of the suite whose Consul agent is at the address `consul`.

    Raises RegistryError if that agent has no certificate for the operator.
    """
    if credentials.tls is Tls.CONSUL:
        token = credentials.consul_token(OPERATOR)
        address = AgentAddress.parse(consul, token=token, ca_file=None)
        fetched = await ConsulCertificates.fetch(OPERATOR, address=address, clock=clock, rng=rng)
        credentials.write_certificates(OPERATOR, fetched.current)
        return OperatorAccess(credentials, fetched, watcher, clock=clock)
    files = credentials.certificate_files(OPERATOR)
    read = FileCertificates(
        certificate_file=files.certificate,
        key_file=files.key,
        roots_file=files.roots,
        clock=clock,
    )
    return OperatorAccess(credentials, read, watcher, clock=clock)
