"""What the options of `./scripts/rollout` mean."""

import pytest

from scripts.rollouts import rollout_options
from scripts.rollouts.rollout_options import parse
from scripts.rollouts.versions import VERSIONS


def test_all_versions_are_rolled_out_unless_some_are_named() -> None:
    """The good one and those with a fault, which the options name as the table does."""
    assert tuple(parse([]).versions) == rollout_options.VERSIONS == tuple(VERSIONS)
    assert parse(["slow", "good"]).versions == ["slow", "good"]


def test_steps_are_percents_that_grow() -> None:
    """A step back is no step, and at 100 % there is nothing to compare with."""
    assert parse(["--steps", "1,5,50"]).steps == [0.01, 0.05, 0.5]


@pytest.mark.parametrize("steps", ["5,1", "0,5", "5,100", "5,5"])
def test_other_steps_are_refused(steps: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything starts, with the reason."""
    with pytest.raises(SystemExit):
        parse(["--steps", steps])

    assert "must grow" in capsys.readouterr().err


def test_an_unknown_version_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With the names of those that there are."""
    with pytest.raises(SystemExit):
        parse(["slower"])

    assert "good, failing, slow, paying-twice" in capsys.readouterr().err
