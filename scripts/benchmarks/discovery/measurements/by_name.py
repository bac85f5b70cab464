"""All measurements, by the name that `./scripts/bench discovery --row` takes."""

from collections.abc import Mapping
from functools import partial

from scripts.benchmarks.discovery.bench import Measurement
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
MEASUREMENTS: Mapping[str, Measurement] = {
    "cpu": partial(costs.cpu, concurrency=16),
    "cpu-1": partial(costs.cpu, concurrency=1),
    "mtls": costs.mutual_tls,
    "hop": costs.latency,
    "slow": slow.p99,
    "failing": failing.half_failing,
    "kill": outage.kill,
    "freeze": outage.freeze,
    "drain": drain.drain,
    "overload": overload.goodput,
    "storm": failing.retry_storm,
    "pick": pick.pick,
    "churn": churn.churn,
    "memory": memory.memory,
}
