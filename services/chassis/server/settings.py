"""Settings of the server, the registry and the database, read once in `__main__`.

Each field is an environment variable. An invalid value stops the start, and the error names the
variable.
"""

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

DRAIN_S = 2.0
STOP_GRACE_S = 10.0
MAX_CONCURRENT_CALLS = 256
MAX_WAITING_CALLS = 5_000


class ServerSettings(BaseSettings):
    """Where an instance listens, how it is registered, its limits, and how it drains."""

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65_535)
    # The address under which callers dial the instance; empty means `host`.
    advertise_address: str = ""
    # A restarted instance keeps its id. Empty means service, host and port.
    instance_id: str = ""
    version: str = "0.1.0"
    # In `drain_s` callers notice that the instance leaves; in `stop_grace_s` calls in flight end.
    drain_s: float = Field(default=DRAIN_S, ge=0)
    stop_grace_s: float = Field(default=STOP_GRACE_S, ge=0)
    max_concurrent: int = Field(default=MAX_CONCURRENT_CALLS, ge=1)
    max_waiting: int = Field(default=MAX_WAITING_CALLS, ge=1)
    channelz: bool = False


class RegistrySettings(BaseSettings):
    """Whether and with which Consul agent the service registers.

    How the agent is connected to, channels and registration read alike from the variables of
    Consul's own tools (`discovery.registry.consul.agent_address`). Without an address there is no
    registry. TRADEPOST_REGISTRY=none keeps a service unregistered although CONSUL_HTTP_ADDR is set
    for other programs.
    """

    model_config = SettingsConfigDict(frozen=True)

    kind: str = Field(
        default="consul",
        pattern="^(consul|none)$",
        validation_alias=AliasChoices("TRADEPOST_REGISTRY", "kind"),
    )
    address: str = Field(default="", validation_alias=AliasChoices("CONSUL_HTTP_ADDR", "address"))


class DatabaseSettings(BaseSettings):
    """The service's own database."""

    model_config = SettingsConfigDict(frozen=True)

    # It may hold a password, so it must not appear in a log.
    url: str = Field(repr=False, validation_alias=AliasChoices("DATABASE_URL", "url"))
    readers: int = Field(
        default=2, ge=1, le=16, validation_alias=AliasChoices("DATABASE_READERS", "readers")
    )
