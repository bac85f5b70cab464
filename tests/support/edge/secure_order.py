"""An order service in the secure mode that answers ListOrders with who calls it."""

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.order.v1.order_service_pb2_grpc import (
    OrderServiceServicer,
    add_OrderServiceServicer_to_server,
)

from discovery.clock import SystemClock
from discovery.registry.instance import Instance
from discovery.tls.certificates import CertificateSource
from scripts.suite.issuer import AUDIENCE, ISSUER, Issuer
from services.chassis.identity import caller
from services.chassis.identity.authentication import Authentication
from services.chassis.identity.caller import Caller
from services.chassis.identity.issuer_keys import IssuerKeys
from services.chassis.identity.peer import peer_of
from services.chassis.identity.security import Security, keep_reading
from services.chassis.identity.tokens import TokenVerifier
from services.chassis.ids import IdFactory
from services.chassis.server.lifecycle import running
from services.chassis.server.service_definition import Service
from services.chassis.server.settings import ServerSettings
from tests.support.edge.running_edge import instance_at

_CLOCK = SystemClock()
_CERTIFICATE = "x509_pem_cert"


@dataclass(slots=True)
class SecureOrder(OrderServiceServicer):  # type: ignore[misc]
    """A running instance, and who has called it; the answer's page token is the name."""

    name: str
    instance: Instance | None = None
    callers: list[Caller] = field(default_factory=list)
    # The certificate that the last caller has shown, in PEM.
    shown: bytes = b""

    async def ListOrders(
        self, _: rpc.ListOrdersRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> rpc.ListOrdersResponse:
        self.callers.append(caller.current())
        (self.shown,) = context.auth_context()[_CERTIFICATE]
        return rpc.ListOrdersResponse(next_page_token=self.name)

    @property
    def registered(self) -> Instance:
        """The instance as the registry knows it."""
        assert self.instance is not None
        return self.instance


@asynccontextmanager
async def secure_order(
    name: str, certificates: CertificateSource, issuer: Issuer, *, max_connection_age_s: float = 0
) -> AsyncIterator[SecureOrder]:
    """Serve on a free port until the block ends; connections are replaced at this age."""
    order = SecureOrder(name)
    service = Service(
        name="order",
        servicers=[lambda server: add_OrderServiceServicer_to_server(order, server)],
        service_names=["tradepost.order.v1.OrderService"],
    )
    rng = random.Random(5)
    settings = ServerSettings(drain_s=0, stop_grace_s=1, max_connection_age_s=max_connection_age_s)
    async with running(
        service,
        settings=settings,
        clock=_CLOCK,
        ids=IdFactory(clock=_CLOCK, rng=rng),
        rng=rng,
        security=_security(certificates, issuer),
    ) as server:
        order.instance = instance_at("order", server.endpoint, name)
        yield order


def _security(certificates: CertificateSource, issuer: Issuer) -> Security:
    async def document() -> bytes:
        return json.dumps(issuer.jwks()).encode()

    keys = IssuerKeys(fetch=document, clock=_CLOCK)
    verifier = TokenVerifier(keys=keys, issuer=ISSUER, audience=AUDIENCE, clock=_CLOCK)
    return Security(
        certificates,
        background=(keys.run, partial(keep_reading, certificates)),
        authentication=Authentication(peer_of(certificates), verifier.verify),
    )
