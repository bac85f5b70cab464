"""Settings of logs, traces and metrics, and the identity of the process they come from."""

from dataclasses import dataclass

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """The process that spans and metrics come from: OpenTelemetry's `service` attributes."""

    service_name: str
    version: str
    instance_id: str


class TelemetrySettings(BaseSettings):
    """Where spans and metrics are exported to, and which lines are logged.

    Without an endpoint nothing is exported, and OpenTelemetry is not imported.
    """

    model_config = SettingsConfigDict(frozen=True)

    otlp_endpoint: str = Field(
        default="", validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp_endpoint")
    )
    # "none" exports spans only, for a collector that accepts no metrics.
    metrics: str = Field(
        default="otlp",
        pattern="^(otlp|none)$",
        validation_alias=AliasChoices("OTEL_METRICS_EXPORTER", "metrics"),
    )
    log_level: str = Field(
        default="info",
        pattern="^(debug|info|warning|error)$",
        validation_alias=AliasChoices("TRADEPOST_LOG_LEVEL", "log_level"),
    )
