"""What an operator may set: one frozen value per concern, read once in `__main__`.

Every field is an environment variable; a value that can't be right stops the start with its name.
"""

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

DRAIN_S = 2.0
STOP_GRACE_S = 10.0
MAX_CONCURRENT_CALLS = 256
MAX_WAITING_CALLS = 5_000


class ServerSettings(BaseSettings):
    """Where one instance listens, how it is known, how much it takes on and how it leaves."""

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65_535)
    # What the registry tells callers to dial; the host it listens on where empty.
    advertise_address: str = ""
    # Stable per slot: a restart in the same place keeps it. Service, host and port where empty.
    instance_id: str = ""
    version: str = "0.1.0"
    # How long callers get to notice that the instance leaves, and then calls in flight to finish.
    drain_s: float = Field(default=DRAIN_S, ge=0)
    stop_grace_s: float = Field(default=STOP_GRACE_S, ge=0)
    max_concurrent: int = Field(default=MAX_CONCURRENT_CALLS, ge=1)
    max_waiting: int = Field(default=MAX_WAITING_CALLS, ge=1)
    channelz: bool = False


class RegistrySettings(BaseSettings):
    """The Consul agent, under the names Consul's own tools read; no registry where empty.

    TRADEPOST_REGISTRY=none keeps a service unregistered beside a CONSUL_HTTP_ADDR meant for others.
    """

    model_config = SettingsConfigDict(frozen=True)

    kind: str = Field(
        default="consul",
        pattern="^(consul|none)$",
        validation_alias=AliasChoices("TRADEPOST_REGISTRY", "kind"),
    )
    address: str = Field(default="", validation_alias=AliasChoices("CONSUL_HTTP_ADDR", "address"))
    token: str = Field(
        default="", repr=False, validation_alias=AliasChoices("CONSUL_HTTP_TOKEN", "token")
    )
    ca_certificate: str = Field(
        default="", validation_alias=AliasChoices("CONSUL_CACERT", "ca_certificate")
    )


class DatabaseSettings(BaseSettings):
    """The service's own database."""

    model_config = SettingsConfigDict(frozen=True)

    # It may hold a password, so it never appears in a log.
    url: str = Field(repr=False, validation_alias=AliasChoices("DATABASE_URL", "url"))
    readers: int = Field(
        default=2, ge=1, le=16, validation_alias=AliasChoices("DATABASE_READERS", "readers")
    )
