"""How the measurements of `./scripts/bench discovery` become rows, and how rows are kept in a
file.
"""

import json
import random
from pathlib import Path

import pytest

from discovery.clock import SystemClock
from scripts.benchmarks.discovery import interleaved
from scripts.benchmarks.discovery.bench import DiscoveryBench
from scripts.benchmarks.discovery.load import OK, LoadResult
from scripts.benchmarks.discovery.measurements import overload
from scripts.benchmarks.discovery.row import REPORT, DiscoveryRow, Target, write
from scripts.benchmarks.discovery.table import table
from scripts.benchmarks.shared.medians import MedianEstimate


def estimated(median: float) -> MedianEstimate:
    """An estimate with this median."""
    return MedianEstimate(median, median / 2, median * 2, 0.95)


def turn(cpu_s: float) -> LoadResult:
    """A result of one call that took this processor time."""
    return LoadResult(cpu_s=cpu_s, elapsed_s=1.0, ended=[(0.0, 0.1, OK)])


@pytest.mark.parametrize(
    ("target", "figure", "met"),
    [
        (Target(most=1.05), 1.05, True),
        (Target(most=1.05), estimated(1.06), False),
        (Target(most=0), 0, True),
        (Target(most=0), 1, False),
        (Target(least=0.9), estimated(0.9), True),
        (Target(least=0.9), 0.89, False),
        (REPORT, 7.0, None),
    ],
)
def test_a_target_is_for_the_median(
    target: Target,
    figure: MedianEstimate | float,
    met: bool | None,  # noqa: FBT001 - one column of the table
) -> None:
    """A median equal to the bound meets the target; a figure without a target has no result."""
    assert DiscoveryRow("row", ours=figure, target=target).ok is met


def test_a_target_is_for_the_ratio_where_there_is_one() -> None:
    """A row with a ratio is judged by the ratio, not by our own figure."""
    row = DiscoveryRow("row", ours=9.0, target=Target(most=0.97), baseline=10.0, ratio=0.9)

    assert row.ok


def test_rows_of_other_runs_stay_in_the_file(tmp_path: Path) -> None:
    """A row that is measured again replaces the old one; rows of other runs stay."""
    file = tmp_path / "figures.json"
    write(file, [DiscoveryRow("first", ours=1.0), DiscoveryRow("second", ours=2.0)])
    write(file, [DiscoveryRow("third", ours=3.0), DiscoveryRow("first", ours=estimated(4.0))])

    rows = json.loads(file.read_text())
    assert [row["name"] for row in rows] == ["first", "second", "third"]
    assert rows[0]["ours"] == {"median": 4.0, "low": 2.0, "high": 8.0, "confidence": 0.95}
    assert rows[1] == {
        "name": "second",
        "ours": 2.0,
        "baseline": None,
        "ratio": None,
        "target": "report",
        "ok": None,
        "conditions": {},
    }


async def test_everything_takes_as_many_turns_and_baselines_one_more(tmp_path: Path) -> None:
    """Each stack has a warm-up and a turn in every round; a baseline has a second turn."""
    taken: list[str] = []

    async def take(name: str) -> LoadResult:
        taken.append(name)
        return turn(1.0)

    bench = DiscoveryBench(tmp_path, SystemClock(), random.Random(1), pairs=4)
    turns = await interleaved.turns(bench, ("ours", "native"), ("native",), take)

    assert {name: len(found) for name, found in turns.items()} == {
        "ours": 4,
        "native": 4,
        "native again": 4,
    }
    assert (taken.count("ours"), taken.count("native")) == (5, 9)


def test_a_ratio_is_that_of_the_same_round() -> None:
    """A ratio compares turns of one round, so a machine that gets slower doesn't change it."""
    slower = [1.0 * round_ for round_ in range(1, 8)]
    turns = {
        "ours": [turn(1.1 * cpu_s) for cpu_s in slower],
        "native": [turn(cpu_s) for cpu_s in slower],
    }

    found = interleaved.ratio(turns, "ours", "native", lambda one: one.cpu_s)
    assert (found.low, found.median, found.high) == pytest.approx((1.1, 1.1, 1.1))


def test_goodput_is_what_was_answered_in_each_second() -> None:
    """Goodput counts successful answers by the second in which they came, after queues filled."""
    fills = overload.FILLING_S
    ended = [
        (0.0, 0.1, OK),
        (fills, 0.1, OK),
        (fills, 0.2, OK),
        (fills, 0.3, "DEADLINE_EXCEEDED"),
        (fills + 0.9, 0.2, OK),
        (fills + 2.0, 0.1, OK),
    ]

    assert overload.answered_per_s(LoadResult(ended=ended)) == [2, 1]


def test_a_table_tells_every_row() -> None:
    """The table has a line for each row: name, figures with intervals, and target."""
    rows = [
        DiscoveryRow(
            "cpu",
            ours=estimated(200.0),
            target=Target(most=1.05),
            baseline=estimated(190.0),
            ratio=estimated(1.04),
        ),
        DiscoveryRow("failed calls", ours=0, target=Target(most=0)),
    ]
    cells = [list(column.cells) for column in table(rows).columns]

    assert cells[0] == ["cpu", "failed calls"]
    assert "200 (100-400)" in cells[1][0]
    assert "1.040 (0.520-2.080)" in cells[3][0]
    assert cells[-1] == ["<= 1.05", "<= 0"]
