"""The settings of the storefront; read once in `__main__`."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from starlette.requests import Request


class StorefrontSettings(BaseSettings):
    """How long the shop waits for others.

    A screen of several parts is answered within `screen_s`, and says which parts are missing. A
    page that has changed an order waits up to `order_wait_s` for the outcome; after that, the
    order's own page tells it. A live stream whose order can't be watched for `live_patience_s`
    ends, and the browser comes again.
    """

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_STOREFRONT_", frozen=True)

    screen_s: float = Field(default=1.5, gt=0)
    order_wait_s: float = Field(default=2.5, gt=0)
    live_patience_s: float = Field(default=30.0, gt=0)


def settings_of(request: Request) -> StorefrontSettings:
    """Return the application's settings."""
    found: StorefrontSettings = request.app.state.storefront
    return found
