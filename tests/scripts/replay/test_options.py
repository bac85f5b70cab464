"""What the options of `./scripts/run` mean together."""

from pathlib import Path

import pytest

from scripts.replay import token_command
from scripts.replay.faults.fault_plan import Fault
from scripts.replay.options import LAST_RELEASE, RUN_FOLDER, parse


def test_only_an_edge_that_gets_orders_is_killed() -> None:
    """`--kill` kills the edge's processes too, if orders are placed there."""
    assert parse(["--kill"]).faults == {Fault.KILL}
    assert parse(["--kill", "--through-edge"]).faults == {Fault.KILL, Fault.EDGE}
    assert parse(["--drain", "--through-edge"]).faults == {Fault.DRAIN}


def test_the_folder_of_a_run_is_the_callers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A relative `--folder` is in the folder where the command was typed, for `token` too."""
    monkeypatch.setenv("CALLER_FOLDER", str(tmp_path))

    run = parse(["--folder", "mine"])
    token = token_command.parse(["--subject", "900", "--role", "CUSTOMER", "--folder", "mine"])

    assert run.folder == token.folder == tmp_path / "mine"
    assert parse([]).folder == RUN_FOLDER


def test_orders_are_not_placed_at_an_edge_that_is_off(capsys: pytest.CaptureFixture[str]) -> None:
    """Options that contradict each other are refused before anything starts."""
    with pytest.raises(SystemExit):
        parse(["--through-edge", "--edge", "off"])

    assert "--through-edge needs the edge" in capsys.readouterr().err


def test_a_roll_is_from_the_last_release_or_from_what_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A roll has no other faults: it replaces all instances twice already."""
    assert parse([]).roll_from is None
    assert parse(["--roll-from"]).roll_from == LAST_RELEASE
    assert parse(["--roll-from", "v1.2.0"]).roll_from == "v1.2.0"
    with pytest.raises(SystemExit):
        parse(["--roll-from", "--kill"])

    assert "--roll-from replaces all instances twice" in capsys.readouterr().err
