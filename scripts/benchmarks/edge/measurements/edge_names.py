"""All measurements of the edge, by the name that `./scripts/bench edge --row` takes."""

from collections.abc import Mapping

from scripts.benchmarks.edge.edge_rows import EdgeMeasurement
from scripts.benchmarks.edge.measurements.call_costs import call_costs
from scripts.benchmarks.edge.measurements.departures import drain, kill
from scripts.benchmarks.edge.measurements.footprint import footprint
from scripts.benchmarks.edge.measurements.registry_changes import registry_changes
from scripts.benchmarks.edge.measurements.rest_reads import rest_reads

# In the order of the table; memory first, because it is measured after the start, too.
EDGE_MEASUREMENTS: Mapping[str, EdgeMeasurement] = {
    "memory": footprint,
    "calls": call_costs,
    "kill": kill,
    "drain": drain,
    "change": registry_changes,
    "rest": rest_reads,
}
