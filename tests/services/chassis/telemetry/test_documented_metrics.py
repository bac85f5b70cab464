"""docs/operations/metrics.md lists every metric, with its unit, and no other."""

import re
from dataclasses import fields

from opentelemetry.sdk.metrics import MeterProvider

from discovery.telemetry.metrics import Instruments
from scripts.tools.paths import ROOT
from services.chassis.telemetry.declared_metrics import METRICS
from services.order.store import order_counts

ROW = re.compile(r"^\| `((?:grpc|tradepost)\.[a-z_.]+)` \| (\S+) \|", re.MULTILINE)


def units_of_discovery() -> dict[str, str]:
    """The metrics of channels."""
    made = Instruments.of(MeterProvider().get_meter("test"))
    each = [getattr(made, field.name) for field in fields(made)]
    return {instrument.name: instrument.unit for instrument in each}


def test_every_metric_is_documented_with_its_unit() -> None:
    """A metric without a line is one of which nobody knows what to do about it."""
    declared = {each.name: each.unit for each in (*METRICS, *order_counts.METRICS)}
    units = {name: unit.strip("{}") for name, unit in (declared | units_of_discovery()).items()}

    assert dict(ROW.findall((ROOT / "docs/operations/metrics.md").read_text())) == units


def test_a_name_is_declared_once() -> None:
    """Two declarations of one name would be added up, or lost."""
    names = [each.name for each in (*METRICS, *order_counts.METRICS)]

    assert len(names) == len(set(names))
