"""Settings of the payment service; read once in `__main__`."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.chassis.environment import TargetSetting
from services.payment.processor.driver import DEFAULT_TIMING, DriveTiming


class FeedSettings(BaseSettings):
    """Targets (of `discovery`) of the services whose feeds payment follows."""

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_", frozen=True)

    inventory_target: TargetSetting = "consul:///inventory"
    order_target: TargetSetting = "consul:///order"


class PaymentSettings(BaseSettings):
    """The processor, whether its testing service is served, and the timing of calls to it."""

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_", frozen=True)

    # simulated:///path/file.db, the same for all instances; see processor/urls.py.
    processor_url: str = Field(repr=False)
    payment_testing: bool = False
    # The lease is how long a dead instance keeps its pending payments from other instances.
    payment_lease_s: float = Field(default=DEFAULT_TIMING.lease_s, gt=0)
    payment_call_timeout_s: float = Field(default=DEFAULT_TIMING.call_timeout_s, gt=0)

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        if self.payment_call_timeout_s >= self.payment_lease_s / 2:
            raise ValueError(
                f"TRADEPOST_PAYMENT_CALL_TIMEOUT_S: {self.payment_call_timeout_s:g} is not less"
                f" than half of TRADEPOST_PAYMENT_LEASE_S = {self.payment_lease_s:g}:"
                " a lease could run out within a call"
            )
        return self

    @property
    def timing(self) -> DriveTiming:
        """The timing of the drive of pending payments."""
        return DriveTiming(lease_s=self.payment_lease_s, call_timeout_s=self.payment_call_timeout_s)
