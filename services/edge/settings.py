"""The settings of the edge; read once in `__main__`."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType
from typing import Self

from pydantic import Field, FilePath, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.chassis.environment import HostSetting

MIB = 1024 * 1024
_PAGES = re.compile(r"((?:/[a-z0-9][a-z0-9-]*)+)=([a-z0-9][a-z0-9-]*)")


class EdgeSettings(BaseSettings):
    """Where the edge listens, and the limits of what it accepts.

    `timeout_s` is for a call whose caller sets no deadline, and the longest that a caller may set;
    `waiting_timeout_s` is that of methods whose policy says `waits`. A stream ends when
    nothing was sent on it for `stream_idle_s`, or after a day. A caller who takes longer than
    `headers_timeout_s` to send the headers of a request, or `request_timeout_s` to send all of it,
    is refused, and a connection without a request is closed after `connection_idle_s`.
    """

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_EDGE_", frozen=True)

    host: HostSetting = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65_535)
    # Envoy's own pages, on loopback; 0: a free port.
    admin_port: int = Field(default=0, ge=0, le=65_535)
    # The Envoy program: a path, or a name on PATH. Empty: the control plane runs without one.
    envoy: str = "envoy"
    # Worker threads of Envoy.
    concurrency: int = Field(default=2, ge=1)
    # Where Envoys that run elsewhere and clients of `xds:///` targets ask, on loopback; 0: nowhere.
    xds_port: int = Field(default=0, ge=0, le=65_535)
    # How long the edge waits at its start for an instance of each service before it listens.
    first_instances_s: float = Field(default=5.0, ge=0)

    max_connections: int = Field(default=10_000, ge=1)
    timeout_s: float = Field(default=10.0, gt=0)
    waiting_timeout_s: float = Field(default=35.0, gt=0)
    stream_idle_s: float = Field(default=3_600.0, gt=0)
    headers_timeout_s: float = Field(default=10.0, gt=0)
    request_timeout_s: float = Field(default=60.0, gt=0)
    connection_idle_s: float = Field(default=900.0, gt=0)
    max_request_bytes: int = Field(default=4 * MIB, ge=1)
    # JSON takes more bytes than the message that a service answered.
    max_response_bytes: int = Field(default=16 * MIB, ge=1)
    max_headers_kib: int = Field(default=32, ge=1, le=8_192)
    # How many proxies stand before the edge and add themselves to x-forwarded-for.
    trusted_hops: int = Field(default=0, ge=0)
    # One line of JSON on standard output for each request.
    access_log: bool = True

    # How many calls of a rate class one caller may make in a minute; 0: any number.
    read_per_minute: int = Field(default=3_000, ge=0)
    list_per_minute: int = Field(default=600, ge=0)
    write_per_minute: int = Field(default=600, ge=0)
    watch_per_minute: int = Field(default=120, ge=0)
    # How many callers of a class are counted at a time, in about 0.6 KiB each.
    max_callers: int = Field(default=10_000, ge=20)
    # The folder of answers that may be reused. Empty: one that ends with the process.
    cache_folder: str = ""
    cache_bytes: int = Field(default=64 * MIB, ge=MIB)
    # The origins of pages that may call from a browser, separated by commas, such as
    # "https://shop.example,https://staff.example:8443".
    allowed_origins: str = ""
    # The web applications by the prefixes of their paths, separated by commas, such as
    # "/shop=storefront,/console=console"; the first one is where "/" leads.
    pages: str = ""

    @field_validator("host")
    @classmethod
    def _is_address(cls, host: str) -> str:
        try:
            ip_address(host)
        except ValueError:
            raise ValueError(f"must be an IP address, not {host!r}: Envoy takes no name") from None
        return host

    @field_validator("pages")
    @classmethod
    def _are_pages(cls, text: str) -> str:
        entries = _separated(text)
        for entry in entries:
            if not _PAGES.fullmatch(entry):
                raise ValueError(f"must be such as /shop=storefront, not {entry!r}")
        if len({entry.partition("=")[0] for entry in entries}) < len(entries):
            raise ValueError("must name each path once")
        return text

    @property
    def instance(self) -> str:
        """What log lines call this edge: nobody registers one."""
        return f"edge-{self.host}-{self.port}"

    @property
    def applications(self) -> Mapping[str, str]:
        """The web applications by the prefixes of their paths, in the order of the setting."""
        pairs = (entry.partition("=") for entry in _separated(self.pages))
        return MappingProxyType({prefix: name for prefix, _, name in pairs})

    @property
    def origins(self) -> tuple[str, ...]:
        """The allowed origins, one by one."""
        return _separated(self.allowed_origins)


class ListenerTlsSettings(BaseSettings):
    """The certificate that callers are shown, in PEM; without it the edge listens without TLS.

    The files are read again when they change. An empty variable counts as unset.
    """

    model_config = SettingsConfigDict(
        env_prefix="TRADEPOST_EDGE_", frozen=True, env_ignore_empty=True
    )

    # With its intermediates.
    certificate_file: FilePath | None = None
    key_file: FilePath | None = None

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        files = {
            "TRADEPOST_EDGE_CERTIFICATE_FILE": self.certificate_file,
            "TRADEPOST_EDGE_KEY_FILE": self.key_file,
        }
        present = [variable for variable, file in files.items() if file]
        for variable, file in files.items():
            if present and not file:
                raise ValueError(f"{variable}: must be set, because {present[0]} is")
        return self


def _separated(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (each.strip() for each in text.split(","))))
