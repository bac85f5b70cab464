"""Turns rows of orders into templates, and builds the SQL that inserts copies of them.

An id begins with its time (`ord_01a213c...`); a copy gets an earlier time. A UUID gets another
beginning. Neither changes the length, so both can also be replaced inside of messages. A template
is a row in which placeholders of the same length stand for these parts.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# The first 28 of the 48 bits of time in one of our ids, and the first 12 digits of a UUID.
_NAME = re.compile(
    rb"(?P<id_time>(?<=_)[0-9a-f]{7}(?=[0-9a-f]{5}7[0-9a-f]{3}[89ab][0-9a-f]{15}))"
    rb"|(?P<uuid_head>[0-9a-f]{8}-[0-9a-f]{4}(?=-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}))"
)
_PLACEHOLDERS = {"id_time": b"<~time~", "uuid_head": b"<~~~uuid~~~~>"}
# UUIDs of copies are spread evenly, so that new ones are inserted among them, not after them.
_UUID_HEADS = 1 << 32

Cell = str | bytes | int | float | None


@dataclass(frozen=True, slots=True)
class RowTemplates:
    """The rows of a table as templates; the n-th copy adds n times `span` to column `numbered`."""

    table: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    numbered: str
    span: int

    @property
    def template_table(self) -> str:
        """The temporary table that holds the templates."""
        return f"template_of_{self.table}"


@dataclass(frozen=True, slots=True)
class SqlDialect:
    """The parts of the statement in the SQL of one database."""

    series: str
    hexadecimal: Callable[[str, int], str]
    text: Callable[[str, Sequence[str]], str]
    message: Callable[[str, Sequence[str]], str]


def template_of(row: Sequence[Cell]) -> list[Cell]:
    """The row with placeholders for ids."""
    return [_with_placeholders(cell) for cell in row]


def copy_statement(templates: RowTemplates, dialect: SqlDialect, copies: int) -> str:
    """The statement that inserts the copies numbered `:first` to `:last`, out of `copies`."""
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
        for name, placeholder in _PLACEHOLDERS.items()
        if any(isinstance(raw, bytes) and placeholder in raw for raw in raws)
    ]
    if not names:
        return column
    is_text = any(isinstance(cell, str) for cell in cells)
    return dialect.text(column, names) if is_text else dialect.message(column, names)


def _with_placeholders(cell: Cell) -> Cell:
    raw = cell.encode() if isinstance(cell, str) else cell
    if not isinstance(raw, bytes):
        return cell
    replaced = _NAME.sub(lambda found: _PLACEHOLDERS[str(found.lastgroup)], raw)
    return replaced.decode() if isinstance(cell, str) else replaced


def _replaced(cell: str, names: Sequence[str], form: str = "{}") -> str:
    """Replace placeholders by the ids of a copy; `form` is a format for both."""
    for name in names:
        placeholder_sql = form.format(f"'{_PLACEHOLDERS[name].decode()}'")
        cell = f"replace({cell}, {placeholder_sql}, {form.format(f'copy.{name}')})"
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
        # PostgreSQL has replace() for text only, so bytes are replaced in hexadecimal.
        message=_message_in_hex,
    ),
}
