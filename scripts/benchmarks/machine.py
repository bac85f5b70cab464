"""What the Linux kernel counts: processor time of processes, and how quiet the machine was."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Fields of /proc/<pid>/stat behind the name of the program (proc(5), fields 14 and 15).
_USER, _SYSTEM = 11, 12
# Fields of the first line of /proc/stat; guests' time is within the first two.
_STEAL, _COUNTED = 7, 8


@dataclass(frozen=True, slots=True)
class Moment:
    """The machine's counters at one moment; only the difference of two says anything."""

    load: float
    steal_ticks: int
    all_ticks: int


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a run had to live with. `load` are runnable tasks a minute, before and after it.

    `steal_percent` is the share of time that the machine's host gave to others.
    """

    cores: int
    load_before: float
    load_after: float
    steal_percent: float


def moment() -> Moment:
    """How things stand now."""
    line = Path("/proc/stat").read_text().partition("\n")[0]
    ticks = [int(field) for field in line.split()[1 : 1 + _COUNTED]]
    return Moment(load=os.getloadavg()[0], steal_ticks=ticks[_STEAL], all_ticks=sum(ticks))


def conditions(before: Moment, after: Moment) -> Conditions:
    """What it was like between two moments."""
    ticks = max(1, after.all_ticks - before.all_ticks)
    return Conditions(
        cores=len(os.sched_getaffinity(0)),
        load_before=before.load,
        load_after=after.load,
        steal_percent=100 * (after.steal_ticks - before.steal_ticks) / ticks,
    )


def cpu_s(pids: Iterable[int]) -> float:
    """User and system time of all threads, ended ones too. Raises OSError for who has ended."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[_USER]) + int(fields[_SYSTEM])
    return ticks / _TICKS_PER_S


def resident_kib() -> int:
    """Memory of this process that is in use and in memory, in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "VmRSS":
            return int(value.split()[0])
    raise OSError("/proc/self/status tells no VmRSS")
