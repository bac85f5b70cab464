"""A service that starts waits for its database, and can be stopped while it waits."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.suite.postgres import NOT_DURABLE, PostgresServer
from tests.support.suite.service_process import service_process


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    """A server that has a database and is stopped."""
    server = PostgresServer(tmp_path / "data", log_file=tmp_path / "log", settings=NOT_DURABLE)
    server.start()
    server.create_database("tradepost")
    server.stop()
    yield server
    server.close()


@pytest.mark.parametrize("variable", ["DATABASE_URL", "TRADEPOST_PROCESSOR_URL"])
async def test_a_service_waits_for_its_database(
    server: PostgresServer, tmp_path: Path, variable: str
) -> None:
    """It logs which variable it waits for and why, and serves once the database answers."""
    environment = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/payment.db",
        "TRADEPOST_PROCESSOR_URL": f"simulated://{tmp_path}/processor.db",
        variable: server.url("tradepost"),
    }
    async with service_process("payment", environment) as service:
        waiting = await service.line("waiting_for_database")
        server.start()
        await service.line("serving")
        status = await service.stop()

    assert waiting["level"] == "warning"
    assert waiting["setting"] == variable
    assert "No such file" in waiting["cause"] or "refused" in waiting["cause"]
    assert status == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_further_signals_change_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """Signals during the stop neither cut it short nor print anything."""
    environment = {"DATABASE_URL": f"sqlite:///{tmp_path}/inventory.db"}
    errors = tmp_path / "errors"
    async with service_process("inventory", environment, log=errors) as service:
        await service.line("serving")
        # Not `send_signal`, which may take the exit status that `end` waits for.
        os.kill(service.process.pid, number)
        ending = asyncio.create_task(service.end())
        while not ending.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(service.process.pid, number)
            await asyncio.wait({ending}, timeout=0.02)
        assert (await ending, errors.read_text()) == (0, "")

    assert errors.read_text() == ""
    assert "stopped" in {line["event"] for line in service.lines}


async def test_a_service_that_waits_can_be_stopped(server: PostgresServer) -> None:
    """SIGTERM ends the wait, with exit status 0."""
    environment = {"DATABASE_URL": server.url("tradepost")}
    async with service_process("inventory", environment) as service:
        await service.line("waiting_for_database")
        status = await service.stop()

    assert status == 0
    assert service.lines[-1]["event"] == "stopped_before_serving"
