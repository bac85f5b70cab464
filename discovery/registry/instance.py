"""What is registered and where it is dialled, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

# How the address of an instance on a Unix domain socket begins; it has no port.
SOCKETS = ("unix:", "unix-abstract:")

NO_META: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Instance:
    """One registered process of a service.

    `instance_id` survives a restart on the same port; `incarnation` differs for every start of the
    process. Statistics are kept by both and the endpoint together.
    `address` may be a Unix domain socket (`unix:/run/order.sock`); `port` is then 0.
    `weight` is relative to the other instances.

    `usable`: False if the registry lists the instance but says that it must get no calls. Callers
    drop it at once. One that is only missing from a list they keep for 15 s while it serves.

    `health_endpoint`: where the registry's own check asks for the health of an instance that it
    registers, if not at the endpoint. Watches don't report it.
    """

    instance_id: str
    service: str
    address: str
    port: int
    tags: tuple[str, ...] = ()
    meta: Mapping[str, str] = field(default_factory=lambda: NO_META, hash=False)
    weight: int = 1
    incarnation: str = ""
    usable: bool = True
    health_endpoint: str = field(default="", compare=False)

    @property
    def endpoint(self) -> str:
        """`host:port` or `unix:path` as grpc dials it, with brackets around an IPv6 address."""
        if self.address.startswith(SOCKETS):
            return self.address
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Resolution:
    """The full list of usable instances of one target, never a difference.

    `version` grows by one with every change. `error` says why the last look-up failed; `instances`
    is then the last good list, or empty if there never was one.
    """

    version: int
    instances: tuple[Instance, ...]
    error: str | None = None
