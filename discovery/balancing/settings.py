"""What a service config can change about a balancer; docs/client.md lists the defaults."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EjectionSettings:
    """When an instance is ejected and for how long (`discovery.balancing.ejector`).

    `most_ejected` is the part of the instances that may be ejected; one may always be.
    """

    failures_in_row: int = 5
    least_calls: int = 10
    least_success: float = 0.8
    first_s: float = 5.0
    ceiling_s: float = 300.0
    most_ejected: float = 0.5


@dataclass(frozen=True, slots=True)
class SlowStartSettings:
    """How long a new instance gets less than its share, and its share at first."""

    duration_s: float = 30.0
    least_share: float = 0.1


DEFAULT_EJECTION = EjectionSettings()
DEFAULT_SLOW_START = SlowStartSettings()


@dataclass(frozen=True, slots=True)
class BalancerSettings:
    """The rules of one balancer; None switches a rule off.

    - `health_request`: the HealthCheckRequest for each instance; None: its health isn't asked.
    - `panic_below`: while a smaller part of the instances is usable, ejections don't count; 0: they
      always count.
    """

    # HealthCheckRequest{service: ""}: the whole server.
    health_request: bytes | None = b""
    ejection: EjectionSettings | None = DEFAULT_EJECTION
    slow_start: SlowStartSettings | None = DEFAULT_SLOW_START
    panic_below: float = 0.5


DEFAULT_SETTINGS = BalancerSettings()
