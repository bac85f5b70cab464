"""A benchmark's folder belongs to one run at a time."""

from pathlib import Path

import pytest

from scripts.benchmarks.floor import floor_cluster
from scripts.suite.run_folder import StartError, only_user


async def test_the_floor_deletes_nothing_in_a_folder_that_is_in_use(tmp_path: Path) -> None:
    """The floor refuses a folder that another run uses, and leaves its databases there."""
    database = tmp_path / "data" / "order.db"
    database.parent.mkdir()
    database.write_text("acknowledged orders")

    with only_user(tmp_path), pytest.raises(StartError, match="in use by another run"):
        async with floor_cluster.running(tmp_path):
            pass

    assert database.read_text() == "acknowledged orders"
