"""A table of a page: every list of the console is one, so all look and work the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias
from urllib.parse import urlencode

from services.console.wire.texts import instant_text

Tone: TypeAlias = Literal["", "good", "bad", "warn", "dim"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A value of a row. `link` is a path below the console's; `tone` says how it is doing."""

    text: str
    link: str = ""
    tone: Tone = ""
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row; `key` is what a form sends for a row that was chosen, "" if none can be."""

    cells: tuple[Cell, ...]
    key: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below the names of their columns. `next_query` is the query of the next page."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    empty: str = "Nothing matches."
    next_query: str = ""


@dataclass(frozen=True, slots=True)
class FilterField:
    """A field of the form that fills the URL's query; with `options` it is a choice."""

    name: str
    label: str
    value: str = ""
    options: tuple[tuple[str, str], ...] = ()
    kind: Literal["text", "number", "datetime-local"] = "text"


@dataclass(frozen=True, slots=True)
class ActionForm:
    """A form that changes something. Every one asks for a reason.

    `path` is that of its endpoint below the console's, `hidden` what identifies its subject.
    `request_id` is the intention: sent again, it has no second effect.
    """

    path: str
    title: str
    button: str
    request_id: str
    hidden: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[FilterField, ...] = ()
    is_final: bool = False
    help: str = ""


def link_to(page: str, **query: str) -> str:
    """The link to a page of the console with a filter, whose values may have any character."""
    return f"{page}?{urlencode(query)}"


def number(value: int, *, tone: Tone = "") -> Cell:
    """A number, written with thousands separators and aligned to the right."""
    return Cell(f"{value:,}", tone=tone, is_number=True)


def when(moment: datetime) -> Cell:
    """An instant."""
    return Cell(instant_text(moment), tone="dim")


def next_query(query: Mapping[str, str], token: str, *, name: str = "page") -> str:
    """The query of the next page: the same filter, and the token; "" on the last page.

    A page with two lists that are turned has another `name` for the token of the second.
    """
    if not token:
        return ""
    kept = {key: value for key, value in query.items() if value and key != name}
    return urlencode({**kept, name: token})


def service_field(query: Mapping[str, str], services: Sequence[str]) -> FilterField:
    """The choice of one service or of all."""
    return FilterField("service", "Service", query.get("service", ""), options_of(services))


def options_of(words: Sequence[str], *, all_label: str = "all") -> tuple[tuple[str, str], ...]:
    """Choices of a filter, the first of which is no filter."""
    return (("", all_label), *((word, word) for word in words))
