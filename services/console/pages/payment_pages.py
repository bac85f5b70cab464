"""The page of payments and of the ledger."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from tradepost.payment.v1.payment_service_pb2 import RefundPaymentRequest

from services.console.actions import order_actions
from services.console.pages.action_endpoint import action_route
from services.console.pages.menu import for_page
from services.console.pages.viewer import PREFIX, asker_of, console_of, show
from services.console.reading.asker import is_allowed
from services.console.reading.gathering import Gathering
from services.console.views.order_view import refund_form
from services.console.views.payments_view import (
    ledger_request,
    ledger_table,
    payments_filter,
    payments_request,
    payments_table,
    sums_table,
)
from services.console.views.query_values import QueryValues


@for_page("payments")
async def payments(request: Request) -> Response:
    """Payments, and the ledger with its sums."""
    values, console = QueryValues(request.query_params), console_of(request)
    asker, stubs = asker_of(request), console.stubs.payments
    async with Gathering(asker) as parts:
        listed = parts.ask("payments", stubs.ListPayments, payments_request(values))
        ledger = parts.ask("ledger", stubs.ListLedgerEntries, ledger_request(values))
    found = listed.value.payments if listed.value else ()
    entries = ledger.value.entries if ledger.value else ()
    payment_id = values.text("payment")
    is_refundable = payment_id and is_allowed(asker.roles, RefundPaymentRequest)
    refund = refund_form("payments/refund", payment_id, console.new_request_id())
    return show(
        request,
        "payments.html",
        fields=payments_filter(values.query),
        payments=payments_table(
            found, values.query, listed.value.next_page_token if listed.value else ""
        ),
        sums=sums_table(entries),
        ledger=ledger_table(
            entries, values.query, ledger.value.next_page_token if ledger.value else ""
        ),
        refund=refund if is_refundable else None,
        missing=parts.missing,
        faults=values.faults,
    )


ROUTES: tuple[BaseRoute, ...] = (
    Route(f"{PREFIX}/payments", payments),
    action_route("payments/refund", order_actions.refund, RefundPaymentRequest),
)
