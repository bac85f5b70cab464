"""The whole configuration of Envoy as one pure function."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import Message

from discovery.registry.instance import Instance
from services.edge.contract.contract import Contract
from services.edge.resources.clusters import (
    page_cluster,
    service_cluster,
    translating_cluster,
)
from services.edge.resources.endpoints import endpoints, page_endpoints
from services.edge.resources.filters.token_check import AcceptedTokens, token_check_extension
from services.edge.resources.listeners import public_listener, translating_listener
from services.edge.resources.routes.public_routes import public_routes
from services.edge.resources.routes.translated_routes import translated_routes
from services.edge.resources.tls_secrets import NO_CERTIFICATES, EdgeCertificates, tls_secrets
from services.edge.settings import EdgeSettings


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources of each kind by name: what LDS, RDS, CDS, EDS, ECDS and SDS hand out."""

    listeners: Mapping[str, Message]
    routes: Mapping[str, Message]
    clusters: Mapping[str, Message]
    endpoints: Mapping[str, Message]
    # Filters' configurations that change without the listener.
    extensions: Mapping[str, Message] = field(default_factory=dict)
    # Certificates with their keys.
    secrets: Mapping[str, Message] = field(default_factory=dict, repr=False)


def services_of(contract: Contract) -> tuple[str, ...]:
    """Return the services that have public methods, sorted."""
    return tuple(sorted({method.service for method in contract.methods}))


def applications_of(settings: EdgeSettings) -> tuple[str, ...]:
    """Return the web applications, sorted; each may have several paths."""
    return tuple(sorted(set(settings.applications.values())))


def resources(
    registry: Mapping[str, Sequence[Instance]],
    contract: Contract,
    settings: EdgeSettings,
    tokens: AcceptedTokens | None = None,
    certificates: EdgeCertificates = NO_CERTIFICATES,
) -> Resources:
    """Return everything that Envoy is to know; equal arguments give equal resources.

    `registry` has the instances of each service and web application that may get calls. One without
    an entry has no instance. Without `tokens` the edge asks nobody for one.
    """
    with_tokens = tokens is not None
    services, applications = services_of(contract), applications_of(settings)
    tls = certificates.to_services
    ids = {each: tls.ids.id_of(each) if tls else "" for each in (*services, *applications)}
    clusters = [
        *(service_cluster(each, ids[each]) for each in services),
        *(page_cluster(each, ids[each]) for each in applications),
        translating_cluster(),
    ]
    listeners = (
        public_listener(
            contract,
            settings,
            with_tokens=with_tokens,
            with_tls=certificates.to_callers is not None,
        ),
        translating_listener(contract, settings),
    )
    routes = (
        public_routes(contract, settings, with_tokens=with_tokens),
        translated_routes(contract, settings),
    )
    extensions = [token_check_extension(tokens)] if tokens else []
    return Resources(
        listeners={each.name: each for each in listeners},
        routes={each.name: each for each in routes},
        clusters={each.name: each for each in clusters},
        endpoints={
            **{name: endpoints(name, registry.get(name, ())) for name in services},
            **{name: page_endpoints(name, registry.get(name, ())) for name in applications},
        },
        extensions={each.name: each for each in extensions},
        secrets={each.name: each for each in tls_secrets(certificates)},
    )
