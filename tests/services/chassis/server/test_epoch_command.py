"""The command that begins a new epoch, with the settings of the service."""

from pathlib import Path

import pytest

from discovery.clock import SystemClock
from services.chassis.environment import read
from services.chassis.server.epoch_command import opened
from services.chassis.server.settings import DatabaseSettings


async def test_the_command_waits_for_answers_as_long_as_the_service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """DATABASE_TIMEOUT_S holds for the command too: a slow database is slow for both."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/order.db")
    monkeypatch.setenv("DATABASE_TIMEOUT_S", "7")

    database = await opened(read(DatabaseSettings), clock=SystemClock())

    assert database.silence.limit_s == 7
    await database.close()
