"""An archived aggregate as one line of JSON: all its rows by table, as the database had them."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

# The values of one row by column.
ArchivedRow: TypeAlias = Mapping[str, Any]

_BYTES = "base64"


@dataclass(frozen=True, slots=True)
class ArchivedAggregate:
    """All rows of the aggregate `subject` at a version of its stream, by table.

    Another line of the same subject may have another version: the highest one counts.
    """

    subject: str
    version: int
    archive_time: datetime
    rows: Mapping[str, Sequence[ArchivedRow]]


def to_line(archived: ArchivedAggregate) -> bytes:
    """The line, with its end. Bytes are written as {"base64": "..."}."""
    values = {
        "subject": archived.subject,
        "version": archived.version,
        "archive_time": archived.archive_time.isoformat(),
        "rows": {table: [dict(row) for row in rows] for table, rows in archived.rows.items()},
    }
    return json.dumps(values, default=_encoded, separators=(",", ":")).encode() + b"\n"


def from_line(line: bytes) -> ArchivedAggregate:
    """Read a line. Raises ValueError and KeyError for one that `to_line` didn't write."""
    values = json.loads(line, object_hook=_decoded)
    return ArchivedAggregate(
        subject=values["subject"],
        version=values["version"],
        archive_time=datetime.fromisoformat(values["archive_time"]),
        rows=values["rows"],
    )


def _encoded(value: object) -> dict[str, str]:
    if not isinstance(value, bytes | memoryview):
        raise TypeError(f"a column has a value of type {type(value)}")
    return {_BYTES: base64.b64encode(value).decode()}


def _decoded(values: dict[str, Any]) -> Any:
    return base64.b64decode(values[_BYTES]) if values.keys() == {_BYTES} else values
