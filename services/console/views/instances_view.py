"""The instances that the registry lists, beside what this console's own channels see of them."""

from collections.abc import Mapping, Sequence

from discovery import Explanation, Instance, InstanceView
from services.console.reading.instances_reading import ListedInstances
from services.console.views.table import (
    ActionForm,
    Cell,
    FilterField,
    Row,
    Table,
    Tone,
    number,
    service_field,
)

_COLUMNS = (
    *("Instance", "Endpoint", "Version", "Registry", "Connection", "Health", "Latency"),
    *("In flight", "Load", "Failed of calls (10 s)", "Ejected"),
)
_BREAKERS = ("Method", "Accepted (10 s)", "Attempts (10 s)", "Breaker")
_PICKS = ("Ago", "Method", "Instance")


def instances_filter(query: Mapping[str, str], services: Sequence[str]) -> tuple[FilterField, ...]:
    """The fields of the filter, filled with the query."""
    return (service_field(query, services),)


def instances_table(read: ListedInstances) -> Table:
    """One row for each instance that either the registry or the channel knows."""
    views = {} if read.seen is None else {view.instance_id: view for view in read.seen.instances}
    listed = {one.instance_id: (one, check) for one, check in read.instances}
    rows = tuple(
        _row(name, listed.get(name), views.get(name), fault=read.fault)
        for name in sorted({*views, *listed})
    )
    headline = "no channel" if read.seen is None else _headline(read.seen)
    caption = f"{read.service}: {headline}"
    return Table(caption, _COLUMNS, rows, empty="No instance is known.")


def drain_form(read: ListedInstances, request_id: str) -> ActionForm | None:
    """The form that drains one of the registered instances; None where none is registered."""
    choices = tuple((one.instance_id, one.instance_id) for one, _ in read.instances)
    if not choices:
        return None
    others = "" if len(choices) > 1 else f" It is the only one: nobody serves {read.service} then."
    return ActionForm(
        path="instances/drain",
        title=f"Drain an instance of {read.service}",
        button="Drain",
        request_id=request_id,
        hidden={"service": read.service},
        inputs=(FilterField("instance_id", "Instance", options=choices),),
        is_final=True,
        help="It leaves the registry, finishes its calls and ends, as at SIGTERM. Whatever started"
        f" it decides whether it comes back.{others}",
    )


def breakers_table(service: str, seen: Explanation) -> Table:
    """The breakers of the methods that were called in the last 10 s."""
    rows = tuple(
        Row(
            (
                Cell(one.method),
                number(one.accepted),
                number(one.attempts),
                Cell("refuses some calls", tone="bad")
                if one.refusing
                else Cell("closed", tone="good"),
            )
        )
        for one in seen.breakers
    )
    return Table(f"Breakers of {service}", _BREAKERS, rows)


def picks_table(service: str, seen: Explanation, most: int) -> Table:
    """Which instance the last calls went to."""
    rows = tuple(
        Row((Cell(f"{one.ago_s:.1f} s", is_number=True), Cell(one.method), Cell(one.instance_id)))
        for one in seen.picks[:most]
    )
    return Table(f"The last picks among {service}", _PICKS, rows, empty="No call was sent yet.")


def _headline(seen: Explanation) -> str:
    parts = [seen.state]
    if seen.panic:
        parts.append("too few instances are usable, so ejections don't count")
    if seen.error:
        parts.append(f"the last look-up failed: {seen.error}")
    return ", ".join(parts)


def _row(
    name: str, listed: tuple[Instance, str] | None, seen: InstanceView | None, *, fault: str
) -> Row:
    endpoint = seen.endpoint if seen else ""
    version, registry = "", Cell("not listed", tone="warn")
    if listed is not None:
        instance, check = listed
        endpoint, version = instance.endpoint, instance.meta.get("version", "")
        registry = Cell(check, tone="good" if check == "passing" else "bad")
    elif fault:
        registry = Cell("no answer", tone="bad")
    return Row((Cell(name), Cell(endpoint), Cell(version), registry, *_seen(seen)), key=name)


def _seen(seen: InstanceView | None) -> tuple[Cell, ...]:
    if seen is None:
        return (Cell("not connected", tone="dim"), *(Cell("") for _ in range(6)))
    state = Cell(seen.state + (f": {seen.cause}" if seen.cause else ""), tone=_tone(seen.state))
    failed: Tone = "bad" if seen.failures else ""
    ejected = Cell("")
    if seen.ejected is not None:
        returns_in_s = seen.returns_in_s or 0.0
        ejected = Cell(f"{seen.ejected}; probed in {returns_in_s:.1f} s", tone="bad")
    return (
        state,
        Cell(seen.health, tone=_tone(seen.health)),
        Cell(f"{seen.latency_s * 1_000:.1f} ms", is_number=True),
        number(seen.in_flight),
        Cell(f"{seen.load:.4f}", is_number=True),
        Cell(f"{seen.failures} of {seen.calls}", tone=failed, is_number=True),
        ejected,
    )


def _tone(word: str) -> Tone:
    return "good" if word in {"READY", "SERVING"} else "warn"
