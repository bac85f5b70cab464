"""Settings of the inventory service; read once in `__main__`."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class FeedSettings(BaseSettings):
    """Targets (of `discovery`) of the services whose feeds inventory follows."""

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_", frozen=True)

    order_target: str = "consul:///order"
    payment_target: str = "consul:///payment"
