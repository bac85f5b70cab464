"""What a service config can change about a balancer; the defaults are in docs/client.md."""

from dataclasses import dataclass

from discovery.balancing import health


@dataclass(frozen=True, slots=True)
class BalancerSettings:
    """`health_request`: what each instance's health service is asked; None: it isn't asked."""

    health_request: bytes | None = health.WHOLE_SERVER


DEFAULT_SETTINGS = BalancerSettings()
