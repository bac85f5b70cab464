"""Shows instances and their changes as text for a terminal, or as JSON for a program."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from discovery.cli.inspection import Finding
from discovery.registry.instance import Instance, Resolution
from discovery.registry.instance_json import instance_to_json

_COLUMNS = ("ID", "ENDPOINT", "WEIGHT", "TAGS", "VERSION", "CHECK", "HEALTH")
_CAUSES = ("ID", "NO ANSWER BECAUSE")


def findings_as_table(findings: Sequence[Finding]) -> str:
    """A heading and one line for each instance, in aligned columns; then why some didn't answer."""
    table = in_columns([_COLUMNS, *map(_row, findings)])
    causes = [(one.instance.instance_id, one.cause) for one in findings if one.cause]
    return f"{table}\n\n{in_columns([_CAUSES, *causes])}" if causes else table


def in_columns(rows: Sequence[Sequence[str]]) -> str:
    """The rows as lines in aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines)


def findings_as_json(target: str, findings: Sequence[Finding]) -> str:
    """One document: `{"target", "instances": [{"id", ..., "check", "health", "cause"}]}`."""
    instances = [
        {
            **_instance_as_json(finding.instance),
            "check": finding.check,
            "health": finding.health,
            "cause": finding.cause,
        }
        for finding in findings
    ]
    return json.dumps({"target": target, "instances": instances}, indent=2)


def change_as_lines(moment: str, before: Resolution, after: Resolution) -> list[str]:
    """One line for each instance added (+), removed (-) or changed (~), and each failure (!)."""
    earlier = {instance.instance_id: instance for instance in before.instances}
    later = {instance.instance_id: instance for instance in after.instances}
    line = partial(_change_line, moment, len(later))
    lines = [line("-", gone) for key, gone in earlier.items() if key not in later]
    lines += [line("+", come) for key, come in later.items() if key not in earlier]
    lines += [line("~", now) for key, now in later.items() if earlier.get(key, now) != now]
    if after.error is not None:
        lines.append(f"{moment}  !  {after.error}")
    elif before.error is not None:
        lines.append(f"{moment}  !  the registry answers again")
    if not later and after.error is None:
        lines.append(f"{moment}     no instances")
    return lines


def change_as_json(moment: str, _: Resolution, after: Resolution) -> list[str]:
    """One line: `{"at", "version", "error", "instances": [...]}`, with the full list."""
    document = {
        "at": moment,
        "version": after.version,
        "error": after.error,
        "instances": [_instance_as_json(instance) for instance in after.instances],
    }
    return [json.dumps(document)]


def _row(finding: Finding) -> tuple[str, ...]:
    instance = finding.instance
    return (
        instance.instance_id,
        instance.endpoint,
        str(instance.weight),
        ",".join(instance.tags) or "-",
        instance.meta.get("version", "-"),
        finding.check,
        finding.health,
    )


def _change_line(moment: str, total: int, sign: str, instance: Instance) -> str:
    tags = f"  tags {','.join(instance.tags)}" if instance.tags else ""
    return (
        f"{moment}  {sign}  {instance.instance_id}  {instance.endpoint}"
        f"  weight {instance.weight}{tags}  ({total} now)"
    )


def _instance_as_json(instance: Instance) -> dict[str, Any]:
    return {"endpoint": instance.endpoint, **instance_to_json(instance)}
