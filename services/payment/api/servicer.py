"""The methods of tradepost.payment.v1.PaymentService."""

from tradepost.payment.v1 import payment_service_pb2 as pb
from tradepost.payment.v1 import payment_service_pb2_grpc

from services.chassis.ids import IdFactory
from services.chassis.request.context import Context
from services.chassis.request.intention import Intention
from services.chassis.request.request_ids import mark_replayed
from services.chassis.store.database import Database
from services.payment.api.use_cases import PaymentAnswer, PaymentUseCases
from services.payment.store.ledger_entries import list_entries
from services.payment.store.payment_listing import list_payments
from services.payment.store.payment_writes import load_own
from services.payment.wire import queries, replies, requests


class PaymentServicer(payment_service_pb2_grpc.PaymentServiceServicer):
    """Serves tradepost.payment.v1.PaymentService; the contract describes each method."""

    def __init__(self, *, payments: PaymentUseCases, database: Database, ids: IdFactory) -> None:
        self._payments = payments
        self._database = database
        self._new_id = ids.new

    async def AuthorizePayment(
        self, request: pb.AuthorizePaymentRequest, context: Context
    ) -> pb.AuthorizePaymentResponse:
        """Set money aside."""
        answer = await self._carry_out(requests.authorize_payment(request, self._new_id), context)
        return pb.AuthorizePaymentResponse(payment=replies.to_payment(answer.payment))

    async def CapturePayment(
        self, request: pb.CapturePaymentRequest, context: Context
    ) -> pb.CapturePaymentResponse:
        """Take the whole authorized amount."""
        intention = requests.capture_payment(request)
        answer = await self._carry_out(intention, context)
        return replies.to_capture_response(answer.payment, intention.command.request_id)

    async def VoidPayment(
        self, request: pb.VoidPaymentRequest, context: Context
    ) -> pb.VoidPaymentResponse:
        """Release the authorized money."""
        answer = await self._carry_out(requests.void_payment(request, self._new_id), context)
        return pb.VoidPaymentResponse(payment=replies.to_payment(answer.payment))

    async def RefundPayment(
        self, request: pb.RefundPaymentRequest, context: Context
    ) -> pb.RefundPaymentResponse:
        """Give money back."""
        intention = requests.refund_payment(request, self._new_id)
        answer = await self._carry_out(intention, context)
        return replies.to_refund_response(answer.payment, intention.command)

    async def GetPayment(
        self,
        request: pb.GetPaymentRequest,
        context: Context,
    ) -> pb.GetPaymentResponse:
        """Read one payment."""
        payment = await self._database.read(load_own, queries.get_payment(request), snapshot=False)
        return pb.GetPaymentResponse(payment=replies.to_payment(payment))

    async def ListPayments(
        self,
        request: pb.ListPaymentsRequest,
        context: Context,
    ) -> pb.ListPaymentsResponse:
        """List payments, the oldest first."""
        wanted = queries.list_payments(request)
        rows = await self._database.read(list_payments, wanted)
        return replies.to_payment_page(queries.payment_page(request, wanted, rows))

    async def ListLedgerEntries(
        self,
        request: pb.ListLedgerEntriesRequest,
        context: Context,
    ) -> pb.ListLedgerEntriesResponse:
        """List the ledger in the order in which it was written."""
        wanted = queries.list_ledger_entries(request)
        rows = await self._database.read(list_entries, wanted)
        return replies.to_ledger_page(queries.ledger_page(request, wanted, rows))

    async def _carry_out(
        self, intention: Intention[requests.C_co], context: Context
    ) -> PaymentAnswer:
        answer = await self._payments.carry_out(
            intention, time_remaining_s=context.time_remaining()
        )
        if answer.replayed:
            mark_replayed(context)
        return answer
