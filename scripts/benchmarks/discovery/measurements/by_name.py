"""Everything that is measured, by the name under which it is asked for."""

from collections.abc import Mapping
from functools import partial

from scripts.benchmarks.discovery.bench import Measure
from scripts.benchmarks.discovery.measurements import (
    churn,
    costs,
    drain,
    failing,
    memory,
    outage,
    overload,
    pick,
    slow,
)

# In the order of the table.
MEASURES: Mapping[str, Measure] = {
    "cpu": partial(costs.cpu, concurrency=16),
    "cpu-1": partial(costs.cpu, concurrency=1),
    "hop": costs.latency,
    "slow": slow.p99,
    "failing": failing.contender,
    "kill": outage.kill,
    "freeze": outage.freeze,
    "drain": drain.drain,
    "overload": overload.goodput,
    "storm": failing.storm,
    "pick": pick.pick,
    "churn": churn.churn,
    "memory": memory.memory,
}
