"""Envoy is started again, whatever the system refuses in between."""

import errno
import random
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.edge.envoy import EnvoyProcess, kept_running
from tests.support.clock.manual_clock import ManualClock

REFUSAL = OSError(errno.EAGAIN, "Resource temporarily unavailable")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that runs until it is ended, as Envoy does."""
    file = tmp_path / "envoy"
    file.write_text("#!/bin/sh\nexec sleep 600\n")
    file.chmod(0o755)
    return file


def refused_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose first call the system refuses."""
    calls = count()

    def called(*arguments: Any, **options: Any) -> Any:
        if next(calls) == 0:
            raise REFUSAL
        return function(*arguments, **options)

    return called


@pytest.mark.parametrize(
    ("refused", "events"),
    [
        ("subprocess.Popen", ["envoy_ended", "envoy_started"]),
        ("os.pidfd_open", ["envoy_started", "envoy_ended", "envoy_started"]),
    ],
)
async def test_a_start_that_the_system_refuses_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, program: Path, refused: str, events: list[str]
) -> None:
    """No process or no descriptor is left: the log says so, and an Envoy runs soon after."""
    module, _, name = refused.partition(".")
    function = getattr(__import__(module), name)
    monkeypatch.setattr(refused, refused_once(function))
    clock, envoy = ManualClock(), EnvoyProcess(program, "", concurrency=1)
    with capture_logs() as lines:
        async with kept_running(envoy, clock=clock, rng=random.Random(1)):
            await clock.wait_for_sleepers()
            await clock.advance(1)
            assert is_running(envoy.pid)
        assert not is_running(envoy.pid)

    assert [line["event"] for line in lines] == events
    (cause,) = (line["cause"] for line in lines if line["event"] == "envoy_ended")
    assert cause == str(REFUSAL)


def is_running(pid: int) -> bool:
    """Whether the process runs."""
    return Path(f"/proc/{pid}").exists()
