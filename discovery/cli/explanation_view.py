"""Shows an explanation as JSON or as tables, with rich if it is installed (extra `cli`)."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from io import StringIO

from discovery.balancing.explanation import Explanation, InstanceView
from discovery.cli.instances_view import in_columns

_WIDTH = 160
_INSTANCES = (
    *("ID", "STATE", "HEALTH", "WEIGHT", "LATENCY", "IN FLIGHT", "LOAD"),
    *("FAILED (10 S)", "EJECTED"),
)
_CAUSES = ("ID", "NOT READY BECAUSE")
_BREAKERS = ("METHOD", "ACCEPTED (10 S)", "BREAKER")
_PICKS = ("AGO", "METHOD", "PICKED")
_TRIED = ("ID", "PICKED WITHOUT A CALL")

Rows = Sequence[Sequence[str]]


def explanation_as_json(explanation: Explanation) -> str:
    """One JSON document whose keys are the fields of `Explanation`."""
    return json.dumps(asdict(explanation), indent=2)


def explanation_as_tables(explanation: Explanation) -> str:
    """One line about the channel, then tables of its instances, breakers and picks."""
    headline = f"{explanation.target}: {explanation.state}"
    if explanation.panic:
        headline += ", ejections lifted"
    if explanation.error:
        headline += f" (the last look-up failed: {explanation.error})"
    elif not explanation.instances:
        headline += " (it has no instances)"
    tried = sum(one.picks for one in explanation.tried)
    tables = (
        _table(_INSTANCES, [_instance(one) for one in explanation.instances]),
        _table(
            _CAUSES,
            [(one.instance_id, one.cause) for one in explanation.instances if one.cause],
        ),
        _table(
            _BREAKERS,
            [
                (one.method, f"{one.accepted}/{one.attempts}", "refuses" if one.refusing else "-")
                for one in explanation.breakers
            ],
        ),
        _table(
            _PICKS,
            [(f"{one.ago_s:.3f} s", one.method, one.instance_id) for one in explanation.picks],
        ),
        _table(
            _TRIED,
            [(one.instance_id, f"{one.picks} of {tried}") for one in explanation.tried],
        ),
    )
    return "\n\n".join([headline, *(table for table in tables if table)])


def _instance(one: InstanceView) -> tuple[str, ...]:
    share = "" if one.share == 1.0 else f" x {one.share:.2f}"
    ejected = "-"
    if one.ejected is not None:
        ejected = f"{one.ejected}; probed in {one.returns_in_s or 0.0:.1f} s"
    return (
        one.instance_id,
        one.state,
        one.health,
        f"{one.weight}{share}",
        f"{one.latency_s * 1000:.1f} ms",
        str(one.in_flight),
        f"{one.load:.4f}",
        f"{one.failures}/{one.calls}",
        ejected,
    )


def _table(heading: Sequence[str], rows: Rows) -> str:
    if not rows:
        return ""
    if find_spec("rich") is None:
        return in_columns([heading, *rows])
    # Imported here because it is optional and slow to import.
    from rich import box  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(*heading, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row)
    printed = StringIO()
    console = Console(file=printed, width=_WIDTH, color_system=None, markup=False)
    console.print(table)
    return "\n".join(line.rstrip() for line in printed.getvalue().strip("\n").splitlines())
