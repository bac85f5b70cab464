"""A sample of a soak: the calls since the last sample, and the resources that the caller holds."""

import gc
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmarks.shared.medians import percentile

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PERCENTILES = (50, 99, 100)
# Kinds of failures kept in each sample.
_FAILURES_MAX = 20


@dataclass(frozen=True, slots=True)
class SoakSample:
    """One sample, taken after a garbage collection while no call is under way.

    `calls`, `failures` (counts by text) and `latency_ms` (by percentile) are those since the last
    sample. The others are held by the process: resident memory, asyncio tasks (none of a blocking
    caller), threads, open files, and objects that Python's garbage collector tracks.
    """

    at_s: float
    calls: int
    failures: Mapping[str, int]
    latency_ms: Mapping[str, float]
    memory_kib: int
    tasks: int
    threads: int
    files: int
    objects: int


def take_sample(
    at_s: float, latencies_s: Sequence[float], failures: Counter[str], *, tasks: int
) -> SoakSample:
    """Sample this process now."""
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text().split()[1])
    return SoakSample(
        at_s=at_s,
        calls=len(latencies_s) + failures.total(),
        failures=dict(failures.most_common(_FAILURES_MAX)),
        latency_ms={
            str(rank): 1_000 * percentile(latencies_s, rank) if latencies_s else 0.0
            for rank in _PERCENTILES
        },
        memory_kib=resident * _PAGE_BYTES // 1024,
        tasks=tasks,
        threads=len(list(Path("/proc/self/task").iterdir())),
        files=len(list(Path("/proc/self/fd").iterdir())),
        objects=len(gc.get_objects()),
    )
