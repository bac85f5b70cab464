"""Settings of the inventory service; read once in `__main__`."""

from pydantic_settings import BaseSettings, SettingsConfigDict

from services.chassis.environment import TargetSetting


class FeedSettings(BaseSettings):
    """Targets (of `discovery`) of the services whose feeds inventory follows."""

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_", frozen=True)

    order_target: TargetSetting = "consul:///order"
    payment_target: TargetSetting = "consul:///payment"
