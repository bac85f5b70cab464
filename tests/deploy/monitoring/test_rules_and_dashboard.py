"""The alert rules and the dashboard are what Prometheus reads, and name metrics that there are."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.tools.paths import ROOT, tool_path
from services.chassis.telemetry.declared_metrics import METRICS, Kind, Metric
from services.order.store import order_counts
from tests.support.deploy.prometheus import prometheus

FOLDER = ROOT / "deploy/monitoring"
RULES, DASHBOARD = FOLDER / "alerts.yaml", FOLDER / "dashboard.json"
UNIT_TESTS = ROOT / "tests/deploy/monitoring/alerts.test.yaml"
REAL_FAULTS = ROOT / "tests/deploy/monitoring/test_real_faults.py"
NAME = re.compile(r"\b(?:tradepost|grpc_server)_[a-z_]+")


def promtool(*arguments: str | Path) -> None:
    """Run promtool; its output is shown where it fails."""
    done = subprocess.run(
        [tool_path("promtool"), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def names_of(metric: Metric) -> Iterator[str]:
    """The names of a metric's time series in Prometheus."""
    name = metric.name.replace(".", "_") + ("_seconds" if metric.unit == "s" else "")
    match metric.kind:
        case Kind.COUNTER | Kind.OBSERVED_COUNTER:
            yield f"{name}_total"
        case Kind.DURATION | Kind.SIZE:
            yield from (f"{name}_{part}" for part in ("bucket", "sum", "count"))
        case _:
            yield name


def expressions() -> list[str]:
    """What the panels of the dashboard ask, with values for Grafana's variables."""
    dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return [
        target["expr"].replace("$service", ".*").replace("$__rate_interval", "1m")
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    ]


def test_the_rules_are_valid() -> None:
    """Prometheus would not start with others."""
    promtool("check", "rules", RULES)


def test_each_rule_fires_when_it_should_and_only_then() -> None:
    """Every rule is tried on values that are well and on values that are not."""
    alerts = set(re.findall(r"alert: (\w+)", RULES.read_text()))
    tried = re.findall(r"alertname: (\w+)", UNIT_TESTS.read_text())

    promtool("test", "rules", UNIT_TESTS)
    assert alerts == set(tried)
    assert len(tried) == 2 * len(alerts)


def test_every_alert_is_fired_by_a_real_fault() -> None:
    """A rule that is added gets a test in which a real service is broken."""
    alerts = re.findall(r"alert: (\w+)", RULES.read_text())
    faults = REAL_FAULTS.read_text()
    assert [each for each in alerts if f'until_firing("{each}"' not in faults] == []


@pytest.mark.parametrize("text", [RULES.read_text(), "\n".join(expressions())])
def test_every_metric_that_is_asked_for_is_declared(text: str) -> None:
    """A rule on a metric that nothing records is silent for ever."""
    declared = {name for each in (*METRICS, *order_counts.METRICS) for name in names_of(each)}
    used = set(NAME.findall(text))

    assert used
    assert used <= declared


async def test_prometheus_takes_every_question_of_the_dashboard(tmp_path: Path) -> None:
    """A panel whose expression is wrong would be empty."""
    asked = expressions()
    async with prometheus(tmp_path, rules="groups: []", ports=[]) as server:
        for expression in asked:
            await server.query(expression)

    assert asked
