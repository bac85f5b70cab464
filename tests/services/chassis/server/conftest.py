"""Fixtures of the tests of the server."""

import gc
import os
import signal
import sys
from collections.abc import Iterator

import pytest
import structlog

from services.chassis.server.program import STOP_SIGNALS


@pytest.fixture
def process_settings() -> Iterator[None]:
    """Undo what `serve` sets for the whole process."""
    interval, config = sys.getswitchinterval(), structlog.get_config()
    thresholds, policy = gc.get_threshold(), os.sched_getscheduler(0)
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    os.sched_setscheduler(0, policy, os.sched_param(0))
    gc.set_threshold(*thresholds)
    gc.unfreeze()
    sys.setswitchinterval(interval)
    structlog.configure(**config)
