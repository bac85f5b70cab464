"""What the options of `./scripts/run` mean together."""

import pytest

from scripts.replay.faults.fault_plan import Fault
from scripts.replay.options import parse


def test_only_an_edge_that_gets_orders_is_killed() -> None:
    """`--kill` kills the edge's processes too, if orders are placed there."""
    assert parse(["--kill"]).faults == {Fault.KILL}
    assert parse(["--kill", "--through-edge"]).faults == {Fault.KILL, Fault.EDGE}
    assert parse(["--drain", "--through-edge"]).faults == {Fault.DRAIN}


def test_orders_are_not_placed_at_an_edge_that_is_off(capsys: pytest.CaptureFixture[str]) -> None:
    """Options that contradict each other are refused before anything starts."""
    with pytest.raises(SystemExit):
        parse(["--through-edge", "--edge", "off"])

    assert "--through-edge needs the edge" in capsys.readouterr().err
