"""The settings of the retention, read once in `__main__`, and what a service makes of them."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

import grpc
from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DAYS, FOLDER = "TRADEPOST_RETENTION_DAYS", "TRADEPOST_RETENTION_FOLDER"
BATCH = 50
INTERVAL_S = 60.0


class RetentionSettings(BaseSettings):
    """How long what has ended stays in the database, and where it is archived.

    Without `days` everything stays. One write removes `batch` aggregates at most; after a pass that
    left nothing to remove, the next one begins in `interval_s`.
    """

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_RETENTION_", frozen=True)

    days: float | None = Field(default=None, gt=0)
    folder: Path | None = None
    batch: int = Field(default=BATCH, ge=1, le=500)
    interval_s: float = Field(default=INTERVAL_S, gt=0)

    @model_validator(mode="after")
    def _has_a_folder(self) -> Self:
        if self.days is None:
            return self
        if self.folder is None:
            raise ValueError(f"{FOLDER}: must be set, because {DAYS} is")
        if not self.folder.is_dir():
            raise ValueError(f"{FOLDER}: {self.folder} is no folder")
        return self

    def of_consumers(self, consumers: tuple[grpc.aio.Channel, ...]) -> "Retention | None":
        """What the settings ask for; None if everything stays."""
        if self.days is None or self.folder is None:
            return None
        return Retention(
            keep=timedelta(days=self.days),
            folder=self.folder,
            consumers=consumers,
            batch=self.batch,
            interval_s=self.interval_s,
        )


@dataclass(frozen=True, slots=True)
class Retention:
    """Keep what has ended for `keep`, then archive it in `folder`.

    `consumers` are channels to all services that follow the feed: events that one of them has not
    applied are kept.
    """

    keep: timedelta
    folder: Path
    consumers: tuple[grpc.aio.Channel, ...]
    batch: int = BATCH
    interval_s: float = INTERVAL_S
