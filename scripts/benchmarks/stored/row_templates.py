"""How orders become templates, and the SQL that makes copies of those as fast as a database writes.

An id begins with its time (`ord_01a213c...`), of which the copies get earlier ones; of a UUID they
get another beginning. Neither changes a length, so both can be replaced inside of messages, too.
A form is a row in which something of the same length stands in their places.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# How an id of ours begins behind its kind, 28 of the 48 bits of its time, and how a UUID begins.
_NAME = re.compile(
    rb"(?P<id_time>(?<=_)[0-9a-f]{7}(?=[0-9a-f]{5}7[0-9a-f]{3}[89ab][0-9a-f]{15}))"
    rb"|(?P<uuid_head>[0-9a-f]{8}-[0-9a-f]{4}(?=-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}))"
)
_PLACES = {"id_time": b"<~time~", "uuid_head": b"<~~~uuid~~~~>"}
# UUIDs of the copies lie as far apart as they can, so that new ones come to lie between all.
_UUID_HEADS = 1 << 32

Cell = str | bytes | int | float | None


@dataclass(frozen=True, slots=True)
class RowTemplates:
    """The rows of a table as templates; each copy adds `span` to the column `numbered`."""

    table: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    numbered: str
    span: int

    @property
    def template_table(self) -> str:
        """The temporary table in which they lie."""
        return f"form_of_{self.table}"


@dataclass(frozen=True, slots=True)
class SqlDialect:
    """How a database says the parts of the statement."""

    series: str
    hexadecimal: Callable[[str, int], str]
    text: Callable[[str, Sequence[str]], str]
    message: Callable[[str, Sequence[str]], str]


def template_of(row: Sequence[Cell]) -> list[Cell]:
    """The row with places for names."""
    return [_formed(cell) for cell in row]


def copying(templates: RowTemplates, dialect: SqlDialect, copies: int) -> str:
    """The statement that inserts the copies with the numbers `:first` to `:last`, of `copies`."""
    cells = [_copied(templates, dialect, index) for index in range(len(templates.columns))]
    uuid_head = dialect.hexadecimal(f"(n * {_UUID_HEADS // (copies + 1)})", 8)
    return (
        f"INSERT INTO {templates.table} ({', '.join(templates.columns)}) {dialect.series},"  # noqa: S608
        f" copy AS MATERIALIZED (SELECT n, {dialect.hexadecimal('n', 7)} AS id_time,"
        f" {uuid_head} || '-ffff' AS uuid_head FROM series)"
        f" SELECT {', '.join(cells)} FROM copy CROSS JOIN {templates.template_table}"
    )


def _copied(templates: RowTemplates, dialect: SqlDialect, index: int) -> str:
    column = templates.columns[index]
    if column == templates.numbered:
        return f"{column} + copy.n * {templates.span}"
    cells = [row[index] for row in templates.rows]
    raws = {cell.encode() if isinstance(cell, str) else cell for cell in cells}
    names = [
        name
        for name, place in _PLACES.items()
        if any(isinstance(raw, bytes) and place in raw for raw in raws)
    ]
    if not names:
        return column
    is_text = any(isinstance(cell, str) for cell in cells)
    return dialect.text(column, names) if is_text else dialect.message(column, names)


def _formed(cell: Cell) -> Cell:
    raw = cell.encode() if isinstance(cell, str) else cell
    if not isinstance(raw, bytes):
        return cell
    formed = _NAME.sub(lambda found: _PLACES[str(found.lastgroup)], raw)
    return formed.decode() if isinstance(cell, str) else formed


def _replaced(cell: str, names: Sequence[str], form: str = "{}") -> str:
    """Puts the names of a copy in their places; `form` says how both are written."""
    for name in names:
        place_sql = form.format(f"'{_PLACES[name].decode()}'")
        cell = f"replace({cell}, {place_sql}, {form.format(f'copy.{name}')})"
    return cell


def _message_in_hex(cell: str, names: Sequence[str]) -> str:
    in_hex = _replaced(f"encode({cell}, 'hex')", names, "encode(convert_to({}, 'UTF8'), 'hex')")
    return f"decode({in_hex}, 'hex')"


SQL_DIALECTS = {
    "sqlite": SqlDialect(
        series="WITH RECURSIVE series (n) AS ("
        "SELECT :first UNION ALL SELECT n + 1 FROM series WHERE n < :last)",
        hexadecimal=lambda number, digits: f"printf('%0{digits}x', {number})",
        text=_replaced,
        message=lambda cell, names: f"CAST({_replaced(cell, names)} AS BLOB)",
    ),
    "postgresql": SqlDialect(
        series="WITH series AS ("
        "SELECT generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n)",
        hexadecimal=lambda number, digits: f"lpad(to_hex({number}), {digits}, '0')",
        text=_replaced,
        # Of bytes, only their text in hexadecimal digits has a replace().
        message=_message_in_hex,
    ),
}
