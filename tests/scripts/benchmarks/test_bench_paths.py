"""The paths that are given to `./scripts/bench`."""

from pathlib import Path

import pytest
import typer

from scripts.benchmarks.__main__ import app


@pytest.mark.parametrize("name", ["checkout", "coordination", "discovery", "edge", "soak"])
def test_relative_paths_are_the_callers(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Figures and logs are where the command was typed, although it works in the checkout."""
    monkeypatch.setenv("CALLER_FOLDER", str(tmp_path))
    group = typer.main.get_command(app)
    command = group.commands[name]  # type: ignore[attr-defined]

    given = command.make_context(name, ["--json", "day.json", "--folder", "logs"]).params
    defaults = command.make_context(name, []).params

    assert (given["json"], given["folder"]) == (tmp_path / "day.json", tmp_path / "logs")
    assert defaults["json"] is None
    assert ".run" in defaults["folder"].parts
