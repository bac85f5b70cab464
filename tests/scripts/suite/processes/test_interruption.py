"""How the processes of an interrupted command end, with a real one that doesn't end when asked."""

import asyncio
from pathlib import Path

import pytest

from scripts.suite.processes import slot as slots
from scripts.suite.processes.interruption import SuiteStop
from scripts.suite.processes.slot import ProcessSlot
from tests.support.suite.frozen_processes import stop as freeze


@pytest.mark.asyncio
async def test_a_stop_that_is_cut_short_kills_what_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for a process gets on, and a process that never started is none to wait for."""
    monkeypatch.setattr(slots, "STOP_TIMEOUT_S", 1_000_000.0)
    lines: list[str] = []
    stop = SuiteStop(lines.append)
    stuck, absent = (
        ProcessSlot("order", number, "services.order", tmp_path / "log", {}) for number in (1, 2)
    )
    stop.include([stuck, absent])
    await stuck.start()
    await freeze(stuck)

    stop.begin()
    stopping = asyncio.create_task(stuck.stop())
    stop.at_once()
    stop.at_once()

    await stopping
    assert stuck.ended == "SIGKILL"
    assert lines[0].startswith("stopping 1 processes")
    assert lines[1:] == ["killing order-1"]


def test_without_processes_nothing_is_said() -> None:
    """Ctrl-C before anything was started has nothing to wait for."""
    lines: list[str] = []
    stop = SuiteStop(lines.append)

    stop.begin()
    stop.at_once()

    assert lines == []
