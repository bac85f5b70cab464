"""Whose feeds the inventory follows; read once in `__main__`."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class FeedSettings(BaseSettings):
    """Where orders and payments are found, as targets of `discovery`."""

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_", frozen=True)

    order_target: str = "consul:///order"
    payment_target: str = "consul:///payment"
