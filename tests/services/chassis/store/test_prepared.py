"""Prepared statements return the same rows as SQLAlchemy's own execution."""

from collections.abc import Iterator

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    insert,
    select,
    text,
    update,
)

from services.chassis.store.prepared import Prepared
from services.chassis.store.urls import dialect_of
from tests.support.store.databases import Databases

ITEM = Table(
    "item",
    MetaData(),
    Column("sku", String, primary_key=True),
    Column("quantity", Integer, nullable=False),
    Column("note", String),
    Column("picture", LargeBinary),
    Column("listed", Boolean, nullable=False),
)
ADD = Prepared(insert(ITEM).inline())
BY_SKU = Prepared(select(ITEM).where(ITEM.c.sku == bindparam("of_sku")).limit(1))
ALL = Prepared(select(ITEM.c.sku).order_by(ITEM.c.sku))
TAKE = Prepared(
    update(ITEM)
    .where(ITEM.c.sku == bindparam("of_sku"))
    .values(quantity=ITEM.c.quantity - bindparam("taken"), note=None)
    .returning(ITEM.c.quantity)
)
HIDE = Prepared(text("UPDATE item SET listed = FALSE WHERE quantity <= :least OR :least < 0"))


def an_item(sku: str, *, quantity: int = 5) -> dict[str, object]:
    """A row of the table."""
    return {"sku": sku, "quantity": quantity, "note": None, "picture": b"\0p", "listed": True}


@pytest.fixture
def connection(databases: Databases) -> Iterator[Connection]:
    """A connection with an open transaction."""
    dialect = dialect_of(databases.url())
    opened = dialect.open_writer()
    dialect.begin(opened)
    ITEM.create(opened)
    yield opened
    dialect.close(opened)


def test_rows_come_back_as_they_went_in(connection: Connection) -> None:
    """Text, integers, bytes and NULL are read as written; a Boolean is the driver's own value."""
    assert ADD.change(connection, **an_item("milk")) == 1

    assert BY_SKU.first(connection, of_sku="milk") == ("milk", 5, None, b"\0p", 1)
    assert BY_SKU.first(connection, of_sku="bread") is None


def test_many_rows_are_one_call(connection: Connection) -> None:
    """`change_each` executes the statement for each row."""
    ADD.change_each(connection, [an_item("milk"), an_item("bread")])

    assert ALL.all(connection) == [("bread",), ("milk",)]


def test_constants_of_the_statement_need_no_value(connection: Connection) -> None:
    """Constants in a statement, even NULL, are bound together with the caller's values."""
    ADD.change(connection, **(an_item("milk") | {"note": "cold"}))

    assert TAKE.first(connection, of_sku="milk", taken=2) == (3,)
    assert BY_SKU.first(connection, of_sku="milk")[2] is None


def test_a_name_may_stand_twice_in_a_statement(connection: Connection) -> None:
    """A parameter that occurs twice in a statement takes one value."""
    ADD.change_each(connection, [an_item("milk", quantity=1), an_item("bread", quantity=9)])

    assert HIDE.change(connection, least=1) == 1
    assert HIDE.change(connection, least=-1) == 2


def test_a_missing_value_is_a_bug(connection: Connection) -> None:
    """A missing value raises KeyError with its name."""
    with pytest.raises(KeyError, match="of_sku"):
        BY_SKU.first(connection)


def test_an_answered_statement_holds_no_snapshot(
    databases: Databases, connection: Connection
) -> None:
    """`first` on a statement with several rows does not keep a snapshot open."""
    dialect = dialect_of(databases.url())
    ADD.change_each(connection, [an_item("milk"), an_item("bread")])
    assert ALL.first(connection) == ("bread",)
    dialect.commit(connection)
    other = dialect.open_writer()
    dialect.begin(other)
    ADD.change(other, **an_item("apple"))
    dialect.commit(other)
    dialect.close(other)

    dialect.begin(connection)
    assert ALL.first(connection) == ("apple",)
