"""Settings of the server, the registry and the database, read once in `__main__`.

Each field is an environment variable. An invalid value stops the start, and the error names the
variable.
"""

from collections.abc import Mapping
from ipaddress import ip_address

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.chassis.environment import HostSetting, SettingError
from services.chassis.store.silence import ANSWER_TIMEOUT_S

DRAIN_S = 2.0
STOP_GRACE_S = 10.0
MAX_CONCURRENT_CALLS = 256
MAX_WAITING_CALLS = 5_000
MAX_CONNECTION_AGE_GRACE_S = 60.0
MAX_WATCHING_CALLS = 5_000
MAX_SUBSCRIBERS = 1_000


class ServerSettings(BaseSettings):
    """Where an instance listens, how it is registered, its limits, and how it drains."""

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_", frozen=True)

    host: HostSetting = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65_535)
    # The address under which callers dial the instance; empty means `host`.
    advertise_address: HostSetting = ""
    # A restarted instance keeps its id. Empty means service, host and port.
    instance_id: str = ""
    version: str = "0.1.0"
    # In `drain_s` callers notice that the instance leaves; in `stop_grace_s` calls in flight end.
    drain_s: float = Field(default=DRAIN_S, ge=0)
    stop_grace_s: float = Field(default=STOP_GRACE_S, ge=0)
    max_concurrent: int = Field(default=MAX_CONCURRENT_CALLS, ge=1)
    # Calls that wait for their answer, open streams to callers, and open subscriptions to the feed.
    max_waiting: int = Field(default=MAX_WAITING_CALLS, ge=1)
    max_watching: int = Field(default=MAX_WATCHING_CALLS, ge=1)
    max_subscribers: int = Field(default=MAX_SUBSCRIBERS, ge=1)
    # Whether the kernel schedules the threads as batch work, in long slices.
    batch_scheduling: bool = False
    channelz: bool = False
    # Whether the contracts are described to callers; by default in the open mode only.
    reflection: bool | None = None
    # In the secure mode, where checks without a certificate are told the health, and nothing else.
    health_host: HostSetting = "127.0.0.1"
    health_port: int = Field(default=0, ge=0, le=65_535)
    # A connection older than this is replaced, its calls going on for the grace; 0: never.
    max_connection_age_s: float = Field(default=0, ge=0)
    max_connection_age_grace_s: float = Field(default=MAX_CONNECTION_AGE_GRACE_S, gt=0)

    @property
    def listening_address(self) -> str:
        """`host:port` as gRPC listens on it, with brackets around an IPv6 address."""
        return _joined(self.host, self.port)

    def health_endpoint(self, port: int) -> str:
        """`host:port` of the health port, where it listens and where checks ask."""
        return _joined(self.health_host, port)

    @property
    def address(self) -> str:
        """The address of the instance."""
        return self.advertise_address or self.host

    @property
    def addresses(self) -> Mapping[str, str]:
        """Where the server listens and is dialled, by the variable that says so."""
        return {"TRADEPOST_HOST": self.host, "TRADEPOST_ADVERTISE_ADDRESS": self.address}

    def instance_id_at(self, service: str, port: int) -> str:
        """The instance's id; by default service, address and port."""
        return self.instance_id or f"{service}-{self.address}-{port}"

    def known_instance_id(self, service: str) -> str:
        """The instance's id before it listens; "" where neither its id nor its port is set."""
        is_known = self.instance_id or self.port
        return self.instance_id_at(service, self.port) if is_known else ""

    def check_address(self) -> None:
        """Raise SettingError if callers can't dial the address, as 0.0.0.0 and [::]."""
        if not _is_any_address(self.address):
            return
        if self.advertise_address:
            raise SettingError(
                "TRADEPOST_ADVERTISE_ADDRESS",
                f"{self.advertise_address!r} can't be dialled by callers",
            )
        raise SettingError(
            "TRADEPOST_ADVERTISE_ADDRESS",
            f"must be set to the address that callers dial, because TRADEPOST_HOST is"
            f" {self.host!r}; or set TRADEPOST_REGISTRY=none",
        )


class RegistrySettings(BaseSettings):
    """Whether and with which Consul agent the service registers.

    How the agent is connected to, channels and registration read alike from the variables of
    Consul's own tools (`discovery.registry.consul.agent_address`). A service registers with the
    agent that its channels ask: without an address, the one of this machine.
    TRADEPOST_REGISTRY=none keeps a service unregistered.
    """

    model_config = SettingsConfigDict(
        env_prefix="TRADEPOST_REGISTRY_", validate_by_name=True, frozen=True
    )

    kind: str = Field(
        default="consul", pattern="^(consul|none)$", validation_alias="TRADEPOST_REGISTRY"
    )
    address: str = Field(default="", validation_alias="CONSUL_HTTP_ADDR")


class DatabaseSettings(BaseSettings):
    """The service's own database."""

    model_config = SettingsConfigDict(env_prefix="DATABASE_", frozen=True)

    # It may hold a password, so it must not appear in a log.
    url: str = Field(repr=False)
    readers: int = Field(default=2, ge=1, le=16)
    # How long one statement may take before its connection is replaced.
    timeout_s: float = Field(default=ANSWER_TIMEOUT_S, ge=1)


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_any_address(host: str) -> bool:
    try:
        return not host or ip_address(host).is_unspecified
    except ValueError:
        return False
