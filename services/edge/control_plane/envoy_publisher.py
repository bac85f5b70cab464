"""Publishes a snapshot for each change of what Envoy's configuration depends on."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from discovery.tls import x509
from discovery.tls.certificates import CertificateSource
from discovery.tls.spiffe import SpiffeIds
from services.edge.contract.contract import Contract
from services.edge.control_plane.registry_watch import Instances
from services.edge.control_plane.snapshot import snapshot
from services.edge.control_plane.state import State
from services.edge.resources.filters.token_check import AcceptedTokens
from services.edge.resources.resources import resources
from services.edge.resources.tls_secrets import EdgeCertificates, ServiceTls
from services.edge.settings import EdgeSettings


@dataclass(frozen=True, slots=True)
class CertificateSources:
    """Where the certificates come from that services and callers are shown; None: no TLS."""

    to_services: CertificateSource | None = None
    to_callers: CertificateSource | None = None


class EnvoyPublisher:
    """Publishes when it knows the instances and, where `tokens` are asked for, the keys.

    Raises InvalidCertificatesError if the edge's own certificate has no SPIFFE id: those of the
    services are like it but for the last part.
    """

    def __init__(
        self,
        state: State,
        contract: Contract,
        settings: EdgeSettings,
        *,
        tokens: AsyncIterator[AcceptedTokens] | None,
        certificates: CertificateSources,
    ) -> None:
        self._state = state
        self._contract = contract
        self._settings = settings
        self._tokens = tokens
        self._accepted: AcceptedTokens | None = None
        self._sources = certificates
        source = certificates.to_services
        self._ids = SpiffeIds.beside(x509.spiffe_id(source.current.chain)) if source else None
        self._instances: Instances | None = None

    def accept_instances(self, instances: Instances) -> None:
        """Take the instances of all services."""
        self._instances = instances
        self._publish()

    async def run(self) -> None:
        """Follow keys and certificates until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if self._tokens is not None:
                tasks.create_task(self._follow_tokens(self._tokens))
            for source in (self._sources.to_services, self._sources.to_callers):
                if source is not None:
                    tasks.create_task(self._follow_certificates(source))

    async def _follow_tokens(self, tokens: AsyncIterator[AcceptedTokens]) -> None:
        async for accepted in tokens:
            self._accepted = accepted
            self._publish()

    async def _follow_certificates(self, source: CertificateSource) -> None:
        known = source.current
        while True:
            known = await source.changed(known)
            self._publish()

    def _publish(self) -> None:
        if self._instances is None or (self._tokens is not None and self._accepted is None):
            return
        made = resources(
            self._instances, self._contract, self._settings, self._accepted, self._certificates()
        )
        self._state.publish(snapshot(made))

    def _certificates(self) -> EdgeCertificates:
        """What is shown now."""
        services, callers = self._sources.to_services, self._sources.to_callers
        return EdgeCertificates(
            to_services=ServiceTls(services.current, self._ids) if services and self._ids else None,
            to_callers=callers.current if callers else None,
        )
