"""On PostgreSQL, too, lists of payments read no more than they answer."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import Connection, text

from services.chassis.store.database import Database
from services.payment.domain.queries import PaymentFilter
from services.payment.domain.state import PaymentState
from services.payment.store import payment_listing
from services.payment.store.tables import MIGRATIONS
from tests.support.store.databases import POSTGRESQL, Databases, open_database

PAYMENTS = 20_000

pytestmark = pytest.mark.parametrize("databases", [POSTGRESQL], indirect=True)


def fill(connection: Connection) -> None:
    """Write many payments, of which one in a hundred was declined, and count the values."""
    connection.execute(
        text(
            "INSERT INTO payment (payment_id, order_id, customer_id, state, currency_code,"
            " amount_minor, captured_minor, refunded_minor, refund_pending_minor, payment_method,"
            " expire_after_micros, authorize_request_id, origin, authorization_reference, refusal,"
            " decline_code, void_request_id, captures, refunds, version, create_time, update_time)"
            " SELECT 'pay_' || n, 'ord_' || n, 'ann',"
            " CASE n % 100 WHEN 0 THEN 'DECLINED' ELSE 'CAPTURED' END, 'USD', 100,"
            " 0, 0, 0, 'card', 0, 'req_' || n, '', '', '', '', '', '', '', 1, n, n"
            f" FROM generate_series(1, {PAYMENTS}) AS n"
        )
    )
    connection.execute(text("ANALYZE payment"))


def plan_of(connection: Connection, wanted: PaymentFilter) -> str:
    """The plan of a page."""
    query = payment_listing.page(wanted).compile(
        dialect=connection.dialect, compile_kwargs={"literal_binds": True}
    )
    return "\n".join(connection.execute(text(f"EXPLAIN {query}")).scalars())


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    """A database with many payments."""
    database = await open_database(databases, MIGRATIONS)
    await database.write(fill)
    yield database
    await database.close()


@pytest.mark.parametrize("after", [None, (7, "pay_7")], ids=["first page", "next page"])
async def test_payments_in_rare_states_are_found_by_their_index(
    database: Database, after: tuple[int, str] | None
) -> None:
    """A page of payments in some states is read from the index on states, not from all payments."""
    states = frozenset({PaymentState.DECLINED, PaymentState.VOIDING})
    plan = await database.read(plan_of, PaymentFilter(50, "", states, after))
    assert "payment_by_state" in plan
    assert "Seq Scan" not in plan
    assert "payment_by_age" not in plan


async def test_payments_of_an_order_are_found_by_the_order(database: Database) -> None:
    """An order has few payments, so its index is used whatever the states."""
    states = frozenset({PaymentState.CAPTURED})
    plan = await database.read(plan_of, PaymentFilter(50, "ord_9", states, None))
    assert "payment_by_state" not in plan
    assert "Seq Scan" not in plan
