"""The unfinished sagas: which step each waits for, since when, and why."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from google.protobuf.duration_pb2 import Duration
from tradepost.order.admin.v1.saga_admin_service_pb2 import ListSagasRequest
from tradepost.order.admin.v1.saga_pb2 import Saga
from tradepost.order.v1.order_pb2 import OrderState

from services.console.views import order_states
from services.console.views.query_values import QueryValues
from services.console.views.table import Cell, FilterField, Row, Table, next_query, options_of
from services.console.wire.texts import duration_text, instant, instant_text

PAGE_SIZE = 50
_COLUMNS = (
    *("Order", "State", "Step", "Attempt", "Unknown", "Age", "Why", "Next attempt", "Owner"),
)
_REVIEWS = (("", "all"), ("yes", "needs review"), ("no", "goes on by itself"))


def sagas_request(values: QueryValues) -> ListSagasRequest:
    """What the query asks for."""
    older_than_s = values.whole("older_than_s")
    state = values.state("state", OrderState, order_states.PREFIX)
    review = values.text("review")
    return ListSagasRequest(
        older_than=None if older_than_s is None else Duration(seconds=older_than_s),
        state=OrderState.ValueType(state),
        needs_review={"yes": True, "no": False}.get(review),
        page_size=PAGE_SIZE,
        page_token=values.query.get("page", ""),
    )


def sagas_filter(query: Mapping[str, str]) -> tuple[FilterField, ...]:
    """The fields of the filter, filled with the query."""
    return (
        FilterField("review", "Review", query.get("review", ""), _REVIEWS),
        FilterField("state", "State", query.get("state", ""), options_of(order_states.WORDS)),
        FilterField("older_than_s", "Older than (s)", query.get("older_than_s", ""), kind="number"),
    )


def sagas_table(
    sagas: Sequence[Saga], query: Mapping[str, str], token: str, now: datetime
) -> Table:
    """The sagas of a page, the oldest first."""
    return Table(
        "Unfinished sagas, the oldest first",
        _COLUMNS,
        tuple(_row(saga, now) for saga in sagas),
        empty="No saga is unfinished. Nothing to do.",
        next_query=next_query(query, token),
    )


def reasons_of(saga: Saga) -> str:
    """Why it doesn't go on; "" while it does."""
    return "; ".join(dict.fromkeys(filter(None, (saga.review_reason, saga.last_error))))


def _row(saga: Saga, now: datetime) -> Row:
    next_attempt = instant(saga.next_attempt_time)
    return Row(
        (
            Cell(saga.order_id, link=f"orders/{saga.order_id}"),
            order_states.state_cell(saga.state, needs_review=saga.needs_review),
            Cell(saga.step),
            Cell(str(saga.attempt), is_number=True),
            Cell(str(saga.unknown_count), is_number=True),
            Cell(duration_text(now - instant(saga.create_time)), is_number=True),
            Cell(reasons_of(saga) or "under way"),
            Cell(instant_text(next_attempt) if saga.HasField("next_attempt_time") else ""),
            Cell(saga.owner.partition("/")[0] or "nobody"),
        ),
        key=saga.order_id,
    )
