"""What an operator may set for payments alone; read once in `__main__`."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class PaymentSettings(BaseSettings):
    """The processor, and whether its book is served for comparing it with the ledger."""

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_", frozen=True)

    # sqlite:////path/file.db of the simulated processor, one for all instances.
    processor_url: str = Field(repr=False)
    payment_testing: bool = False
