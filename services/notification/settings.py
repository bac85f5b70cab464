"""The settings of the notification service, read once in `__main__`."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.chassis.environment import TargetSetting

_DEFAULT_PORTS = {"smtp": 25, "smtps": 465}


class NotificationSettings(BaseSettings):
    """The order service to follow, the delivery of email, and its addresses.

    `sender_url` is file:///folder, smtp://user:password@host:port, or smtps:// for TLS from the
    first byte. It may hold a password, so it never appears in a log.
    """

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_", frozen=True)

    order_target: TargetSetting = "consul:///order"
    sender_url: str = Field(repr=False, validation_alias="TRADEPOST_NOTIFICATION_SENDER_URL")
    # A customer's address is <customer id>@<customer_domain>; the mail server maps it to a person.
    customer_domain: str = Field(
        default="customers.localhost", validation_alias="TRADEPOST_NOTIFICATION_CUSTOMER_DOMAIN"
    )
    sender_address: str = Field(
        default="orders@tradepost.localhost", validation_alias="TRADEPOST_NOTIFICATION_FROM"
    )

    @field_validator("sender_url")
    @classmethod
    def _is_known(cls, url: str) -> str:
        parsed = urlsplit(url)
        if parsed.scheme == "file" and parsed.path:
            return url
        if parsed.scheme in _DEFAULT_PORTS and parsed.hostname:
            return url
        raise ValueError("must be file:///folder, smtp://host:port or smtps://host:port")


@dataclass(frozen=True, slots=True)
class SmtpLogin:
    """The address of a mail server, and the account to use there."""

    host: str
    port: int
    username: str | None
    password: str | None = field(repr=False)
    use_tls: bool


def smtp_login(url: str) -> SmtpLogin:
    """Read a valid smtp:// or smtps:// URL."""
    parsed = urlsplit(url)
    return SmtpLogin(
        host=parsed.hostname or "",
        port=parsed.port or _DEFAULT_PORTS[parsed.scheme],
        username=None if parsed.username is None else unquote(parsed.username),
        password=None if parsed.password is None else unquote(parsed.password),
        use_tls=parsed.scheme == "smtps",
    )
