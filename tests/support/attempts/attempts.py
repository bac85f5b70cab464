"""What an outsider tries against every RPC, and how a secure suite must answer it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import grpc
from google.protobuf.descriptor import MethodDescriptor
from tradepost.policy.v1.policy_pb2 import Access, Role

from discovery.tls.certificates import Certificates
from scripts.suite.cluster import SERVICES
from scripts.suite.issuer import Issuer
from scripts.suite.secure.bearer_token import bearer
from scripts.suite.secure.call_graph import EDGE, OPERATOR, WEB_APPLICATIONS, policy_of
from scripts.suite.secure.certificate_authority import Authority
from scripts.suite.secure.credentials import Credentials, roles
from tests.support.attempts.outsider import Metadata
from tests.support.attempts.tokens import unproven_tokens

Code = grpc.StatusCode
Expected = Callable[[Access], Code]
# A distance in time that no clock's error covers.
_LONG = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One thing to try: `against` says which RPCs `concerns` chooses, in words for a table."""

    what: str
    expected: Expected
    certificates: Certificates | None
    metadata: Metadata = field(default=(), repr=False)
    plaintext: bool = False
    against: str = "every RPC"
    concerns: Callable[[Access], bool] = lambda _: True


def access_of(method: MethodDescriptor) -> Access:
    """Who may call an RPC, as its contract says."""
    return policy_of(method).access


def attempts(credentials: Credentials) -> Iterator[Attempt]:
    """Everything that is tried: first the connection, then services, then people."""
    yield from _connections(credentials.authority)
    yield from _services(credentials.authority)
    yield from _tokens(credentials.authority.issue(OPERATOR), credentials.issuer)
    yield from _roles(credentials.authority.issue(OPERATOR), credentials.issuer)


def _connections(authority: Authority) -> Iterator[Attempt]:
    def refused(_: Access) -> Code:
        return Code.UNAVAILABLE

    expired = authority.issue("order", not_before=-2 * _LONG, not_after=-_LONG)
    early = authority.issue("order", not_before=_LONG, not_after=2 * _LONG)
    foreign = Authority(authority.trust_domain).issue("order")
    yield Attempt("no TLS", refused, None, plaintext=True)
    yield Attempt("TLS without a certificate", refused, None)
    yield Attempt("the order service's certificate, signed by another CA", refused, foreign)
    yield Attempt("the order service's certificate, expired", refused, expired)
    yield Attempt("the order service's certificate, not yet valid", refused, early)


def _services(authority: Authority) -> Iterator[Attempt]:
    other_domain = authority.issue("order", spiffe_id="spiffe://elsewhere.test/order")
    yield Attempt("the order service's certificate of another trust domain", _nobody, other_domain)
    yield Attempt(
        "a certificate that names no service", _nobody, authority.issue("x", spiffe_id="")
    )
    for service in (*SERVICES, EDGE, *WEB_APPLICATIONS, OPERATOR):
        yield Attempt(
            f"the certificate of `{service}`, without a token",
            _nobody,
            authority.issue(service),
            against="every RPC that is not for this service",
            concerns=lambda access, service=service: service not in access.peers,
        )


def _tokens(peer: Certificates, issuer: Issuer) -> Iterator[Attempt]:
    def unproven(_: Access) -> Code:
        return Code.UNAUTHENTICATED

    for each in unproven_tokens(issuer):
        yield Attempt(each.what, unproven, peer, each.metadata)


def _roles(peer: Certificates, issuer: Issuer) -> Iterator[Attempt]:
    def denied(_: Access) -> Code:
        return Code.PERMISSION_DENIED

    yield Attempt("a token without a role", denied, peer, bearer(issuer.token("mallory")))
    for role in roles():
        number = Role.Value(f"ROLE_{role}")
        yield Attempt(
            f"a token with the role {role}",
            denied,
            peer,
            bearer(issuer.token("mallory", role)),
            against="every RPC that is not for this role",
            concerns=lambda access, number=number: number not in access.roles,
        )


def _nobody(access: Access) -> Code:
    """Who is not known is asked for a token where people may call; otherwise the peer is denied."""
    return Code.UNAUTHENTICATED if access.roles else Code.PERMISSION_DENIED
