"""What is registered and where it is dialled: frozen values without behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

NO_META: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Instance:
    """One registered process of a service.

    `instance_id` is stable per slot (it survives a restart on the same port), `incarnation`
    differs for every start of the process: statistics are kept by both together.
    """

    instance_id: str
    service: str
    address: str
    port: int
    tags: tuple[str, ...] = ()
    meta: Mapping[str, str] = field(default_factory=lambda: NO_META, hash=False)
    weight: int = 1
    incarnation: str = ""

    @property
    def endpoint(self) -> str:
        """`host:port` as grpc dials it; IPv6 addresses come bracketed."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Resolution:
    """The full list of current instances of one target; never a difference.

    `version` grows by one with every change. `error` says why the newest look-up failed; the
    instances are then the last good ones (none, if there never was a good one).
    """

    version: int
    instances: tuple[Instance, ...]
    error: str | None = None
