"""The settings of the checkout and of the services that it calls; read once in `__main__`."""

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.chassis.environment import TargetSetting
from services.chassis.saga.timing import SagaTiming
from services.order.domain.commands import Terms
from services.order.domain.events import Coordination

_DAY_S = 86_400.0


class SagaSettings(BaseSettings):
    """The times of the checkout saga, in seconds, and the default coordination of an order.

    A hold must outlast the order's deadline: else it could expire between the authorization and
    the capture. An authorization must outlast the deadline and the capture.
    """

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_SAGA_", frozen=True)

    coordination: Literal["orchestration", "choreography"] = "orchestration"
    deadline_s: float = Field(default=30.0, gt=0)
    step_timeout_s: float = Field(default=3.0, gt=0)
    lease_s: float = Field(default=10.0, gt=0)
    compensation_margin_s: float = Field(default=60.0, ge=0)
    clock_skew_s: float = Field(default=5.0, ge=0)
    # The bounds are those of the participants: inventory holds for 1 s to 1 h, payment authorizes
    # for 1 min to 30 days.
    hold_ttl_s: float = Field(default=120.0, ge=1, le=3_600)
    authorization_ttl_s: float = Field(default=7 * _DAY_S, ge=60, le=30 * _DAY_S)
    capture_budget_s: float = Field(default=30.0, gt=0)
    review_after_s: float = Field(default=300.0, gt=0)

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        needed_s = self.deadline_s + self.compensation_margin_s + self.clock_skew_s
        if self.hold_ttl_s < needed_s:
            raise ValueError(
                f"TRADEPOST_SAGA_HOLD_TTL_S: {self.hold_ttl_s:g} is less than"
                " TRADEPOST_SAGA_DEADLINE_S + TRADEPOST_SAGA_COMPENSATION_MARGIN_S"
                f" + TRADEPOST_SAGA_CLOCK_SKEW_S = {needed_s:g}:"
                " holds would run out before their orders end"
            )
        authorized_s = self.deadline_s + self.capture_budget_s + self.clock_skew_s
        if self.authorization_ttl_s <= authorized_s:
            raise ValueError(
                f"TRADEPOST_SAGA_AUTHORIZATION_TTL_S: {self.authorization_ttl_s:g} is not more than"
                " TRADEPOST_SAGA_DEADLINE_S + TRADEPOST_SAGA_CAPTURE_BUDGET_S +"
                f" TRADEPOST_SAGA_CLOCK_SKEW_S = {authorized_s:g}: no order could be captured"
            )
        if self.step_timeout_s >= self.lease_s / 2:
            raise ValueError(
                f"TRADEPOST_SAGA_STEP_TIMEOUT_S: {self.step_timeout_s:g} is not less than half of"
                f" TRADEPOST_SAGA_LEASE_S = {self.lease_s:g}: a lease could run out within a step"
            )
        return self

    @property
    def terms(self) -> Terms:
        """The times that the domain needs."""
        return Terms(
            deadline=timedelta(seconds=self.deadline_s),
            hold_ttl=timedelta(seconds=self.hold_ttl_s),
            authorization_ttl=timedelta(seconds=self.authorization_ttl_s),
            capture_budget=timedelta(seconds=self.capture_budget_s),
        )

    @property
    def default_coordination(self) -> Coordination:
        """The coordination of an order whose caller does not choose."""
        is_choreographed = self.coordination == "choreography"
        return Coordination.CHOREOGRAPHED if is_choreographed else Coordination.ORCHESTRATED

    @property
    def timing(self) -> SagaTiming:
        """The times that the saga runner needs."""
        return SagaTiming(step_timeout_s=self.step_timeout_s, review_after_s=self.review_after_s)


class ParticipantSettings(BaseSettings):
    """The targets of inventory, of payment and of the order service's own feed.

    Notification is only asked how far it has followed that feed, where there is a retention.
    """

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_", frozen=True)

    inventory_target: TargetSetting = "consul:///inventory"
    payment_target: TargetSetting = "consul:///payment"
    order_target: TargetSetting = "consul:///order"
    notification_target: TargetSetting = "consul:///notification"
