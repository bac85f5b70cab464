"""What a service config can change about a balancer; the defaults are in docs/client.md."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BalancerSettings:
    """`health_request`: the HealthCheckRequest for each instance; None: its health isn't asked."""

    # HealthCheckRequest{service: ""}: the whole server.
    health_request: bytes | None = b""


DEFAULT_SETTINGS = BalancerSettings()
