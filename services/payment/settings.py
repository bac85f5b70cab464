"""What an operator may set for payments; read once in `__main__`."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.payment.parts import DEFAULT_TIMING, Timing


class FeedSettings(BaseSettings):
    """Where inventory and orders are found, as targets of `discovery`."""

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_", frozen=True)

    inventory_target: str = "consul:///inventory"
    order_target: str = "consul:///order"


class PaymentSettings(BaseSettings):
    """The processor, whether its book is served for comparing it with the ledger, and its times."""

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_", frozen=True)

    # sqlite:////path/file.db of the simulated processor, one for all instances.
    processor_url: str = Field(repr=False)
    payment_testing: bool = False
    # How long an instance that died keeps its pending payments from the others, and how long one
    # call to the processor may take.
    payment_lease_s: float = Field(default=DEFAULT_TIMING.lease_s, gt=0)
    payment_call_timeout_s: float = Field(default=DEFAULT_TIMING.call_timeout_s, gt=0)

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        if self.payment_call_timeout_s >= self.payment_lease_s / 2:
            raise ValueError(
                f"payment_call_timeout_s {self.payment_call_timeout_s:g} is not less than half of"
                f" payment_lease_s {self.payment_lease_s:g}: a lease could run out within a call"
            )
        return self

    @property
    def timing(self) -> Timing:
        """What the driver needs to know of them."""
        return Timing(lease_s=self.payment_lease_s, call_timeout_s=self.payment_call_timeout_s)
