"""Reads the Linux kernel's counters: processor time of processes, load and stolen time."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Fields of /proc/<pid>/stat behind the name of the program (proc(5), fields 14 to 17).
_USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM = 11, 12, 13, 14
# Fields of the first line of /proc/stat; the first two include the time of guests.
_STEAL, _COUNTED = 7, 8


@dataclass(frozen=True, slots=True)
class Moment:
    """The machine's counters at one moment; only the difference of two has a meaning."""

    load: float
    steal_ticks: int
    all_ticks: int


@dataclass(frozen=True, slots=True)
class MachineConditions:
    """The conditions of a run: the load averages of one minute before and after it.

    `steal_percent` is the share of time that the machine's host gave to other machines.
    """

    cores: int
    load_before: float
    load_after: float
    steal_percent: float


@dataclass(frozen=True, slots=True)
class ProcessorTime:
    """Processor time so far: the sum, and that of running threads by the thread's name."""

    all_s: float
    threads_s: Mapping[str, float]

    def since(self, before: "ProcessorTime") -> "ProcessorTime":
        """The time since an earlier reading."""
        threads_s = {
            name: spent_s - before.threads_s.get(name, 0.0)
            for name, spent_s in self.threads_s.items()
        }
        return ProcessorTime(self.all_s - before.all_s, threads_s)


def moment() -> Moment:
    """Read the counters."""
    line = Path("/proc/stat").read_text().partition("\n")[0]
    ticks = [int(field) for field in line.split()[1 : 1 + _COUNTED]]
    return Moment(load=os.getloadavg()[0], steal_ticks=ticks[_STEAL], all_ticks=sum(ticks))


def conditions(before: Moment, after: Moment) -> MachineConditions:
    """The conditions between two moments."""
    ticks = max(1, after.all_ticks - before.all_ticks)
    return MachineConditions(
        cores=len(os.sched_getaffinity(0)),
        load_before=before.load,
        load_after=after.load,
        steal_percent=100 * (after.steal_ticks - before.steal_ticks) / ticks,
    )


def spent(pids: Iterable[int], *, with_children: bool = False) -> ProcessorTime:
    """User and system time of all threads, including ended ones.

    With `with_children` the children's time is added, for servers with a process per connection.
    Raises OSError for a process of `pids` that has ended.
    """
    ticks = 0
    threads: Counter[str] = Counter()
    for pid in pids:
        fields = _stat(Path(f"/proc/{pid}/stat"))
        ticks += int(fields[_USER]) + int(fields[_SYSTEM])
        threads.update(_threads(pid))
        if with_children:
            ticks += int(fields[_CHILDREN_USER]) + int(fields[_CHILDREN_SYSTEM])
            ticks += sum(_ticks(Path(f"/proc/{child}/stat")) for child in children(pid))
    return ProcessorTime(
        ticks / _TICKS_PER_S, {name: n / _TICKS_PER_S for name, n in threads.items()}
    )


def running_s(pid: int) -> float:
    """Processor time of a process's running threads, finer than the ticks of `spent`."""
    total_ns = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total_ns += int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total_ns / 1e9


def memory_kib(pid: int) -> tuple[int, int]:
    """Resident memory of a process in KiB, and its share of it where pages are shared (PSS)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    values = {line.split()[0]: int(line.split()[1]) for line in lines}
    return values["Rss:"], values["Pss:"]


def resident_kib() -> int:
    """Resident memory of this process in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "VmRSS":
            return int(value.split()[0])
    raise OSError("/proc/self/status has no VmRSS")


def _threads(pid: int) -> Counter[str]:
    """Ticks by thread name; names that differ only in the number at the end are one."""
    ticks: Counter[str] = Counter()
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            name = "main" if task.name == str(pid) else (task / "comm").read_text().strip()
        except FileNotFoundError:
            continue
        ticks[name.rstrip("0123456789-_")] += _ticks(task / "stat")
    return ticks


def children(pid: int) -> list[str]:
    """The ids of the processes that the main thread of a process has started."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _ticks(stat: Path) -> int:
    """User and system time; zero for a process that has ended, whose parent counts it then."""
    try:
        fields = _stat(stat)
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(fields[_USER]) + int(fields[_SYSTEM])


def _stat(stat: Path) -> list[str]:
    return stat.read_text().rpartition(")")[2].split()
