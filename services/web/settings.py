"""Settings of a web application, read once in `__main__`; each field is an environment variable.

Those of the secure mode and of the registry are the chassis'.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.chassis.environment import HostSetting, SettingError, TargetSetting
from services.chassis.identity.mode import is_loopback
from services.chassis.server.settings import DRAIN_S, STOP_GRACE_S


def _checked_keys(text: str) -> str:
    for number, key in enumerate(_separated(text), start=1):
        try:
            Fernet(key)
        except ValueError:
            # The library's text may repeat the key.
            raise ValueError(f"key {number} is no key of 32 bytes in URL-safe base64") from None
    if not _separated(text):
        raise ValueError("must have a key: 32 random bytes in URL-safe base64")
    return text


def _checked_origin(url: str) -> str:
    parts = urlsplit(url)
    is_origin = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    if not is_origin or parts.path not in {"", "/"} or parts.query or parts.username:
        raise ValueError("must be an origin, such as https://shop.example")
    return url.rstrip("/")


def _checked_issuer(url: str) -> str:
    parts = urlsplit(url)
    is_private = parts.scheme == "https" or (
        parts.scheme == "http" and is_loopback(parts.hostname or "")
    )
    if not is_private or not parts.hostname or parts.query or parts.username:
        raise ValueError("must be an https:// URL, or http:// on this machine")
    return url


def _separated(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (each.strip() for each in text.split(","))))


_Keys: TypeAlias = Annotated[str, AfterValidator(_checked_keys)]
_Origin: TypeAlias = Annotated[str, AfterValidator(_checked_origin)]
_Issuer: TypeAlias = Annotated[str, AfterValidator(_checked_issuer)]


class WebSettings(BaseSettings):
    """Where an application listens and is reached, its keys, and how it drains.

    `session_keys` are Fernet keys separated by commas: the first one encrypts, all decrypt. So a
    new key is put first, and an old one is removed a session's length later. All instances have the
    same keys. `public_url` is what a browser sees.
    """

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_WEB_", frozen=True)

    host: HostSetting = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65_535)
    # The address under which the edge dials the instance; empty means `host`.
    advertise_address: HostSetting = ""
    # A restarted instance keeps its id. Empty means application, host and port.
    instance_id: str = ""
    session_keys: _Keys = Field(repr=False)
    public_url: _Origin = "http://127.0.0.1:8080"
    # In `drain_s` the edge notices that the instance leaves; in `stop_grace_s` open requests end.
    drain_s: float = Field(default=DRAIN_S, ge=0)
    stop_grace_s: float = Field(default=STOP_GRACE_S, ge=0)

    @property
    def keys(self) -> tuple[str, ...]:
        """The session keys one by one, the one that encrypts first."""
        return _separated(self.session_keys)

    @property
    def is_https(self) -> bool:
        """Whether browsers reach the application by TLS only."""
        return self.public_url.startswith("https://")

    @property
    def address(self) -> str:
        """The address of the instance."""
        return self.advertise_address or self.host

    @property
    def addresses(self) -> Mapping[str, str]:
        """Where the application listens and is dialled, by the variable that says so."""
        return {
            "TRADEPOST_WEB_HOST": self.host,
            "TRADEPOST_WEB_ADVERTISE_ADDRESS": self.address,
        }

    def check_address(self) -> None:
        """Raise SettingError if the edge can't dial the address: 0.0.0.0, [::], or a name."""
        try:
            can_be_dialled = not ip_address(self.address).is_unspecified
        except ValueError:
            can_be_dialled = False
        if not can_be_dialled:
            raise SettingError(
                "TRADEPOST_WEB_ADVERTISE_ADDRESS",
                f"must be set to the IP address that the edge dials, which {self.address!r} is not;"
                " or set TRADEPOST_REGISTRY=none",
            )


class LoginSettings(BaseSettings):
    """The identity provider (OpenID Connect) that logs people in.

    `issuer` is the URL below which /.well-known/openid-configuration lies. Its access tokens must
    be JSON Web Tokens of `token_issuer` for `audience`, because services verify them.
    """

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_LOGIN_", frozen=True)

    issuer: _Issuer
    client_id: str = Field(min_length=1)
    # Empty: a public client, which proves itself by PKCE alone.
    client_secret: str = Field(default="", repr=False)
    # Empty: the same as `issuer`.
    token_issuer: str = ""
    audience: str = "tradepost"


class TargetSettings(BaseSettings):
    """Where the services are found: a field for each of them."""

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_", frozen=True)

    order_target: TargetSetting = "consul:///order"
    payment_target: TargetSetting = "consul:///payment"
    inventory_target: TargetSetting = "consul:///inventory"
    notification_target: TargetSetting = "consul:///notification"
