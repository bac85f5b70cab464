"""The books of a simulated suite: the equations of a replay, without mail and summaries."""

from tradepost.inventory.v1 import inventory_service_pb2 as inventory_rpc
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.payment.testing.v1 import simulated_processor_service_pb2 as processor_rpc
from tradepost.payment.v1 import payment_service_pb2 as payment_rpc
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from scripts.replay.books.every_check import check
from scripts.replay.books.snapshot import Snapshot
from scripts.replay.observations import Observations
from services.payment.processor.simulated.testing_servicer import SimulatedProcessorServicer
from tests.support.simulation.in_process_channel import channel_to
from tests.support.simulation.simulated_suite import SimulatedSuite

_ALL = 1_000
# What a simulated suite does not have.
_LEFT_OUT = ("notification", "mail", "summaries")


async def wrong_equations(suite: SimulatedSuite) -> list[str]:
    """Return the equations that do not hold."""
    equations = check(await _snapshot(suite), Observations())
    return [
        f"{each.name}: {each.left} and {each.right}"
        for each in equations
        if not each.ok and not any(word in each.name for word in _LEFT_OUT)
    ]


async def _snapshot(suite: SimulatedSuite) -> Snapshot:
    payments = PaymentServiceStub(channel_to(suite.payment))
    inventory = InventoryServiceStub(channel_to(suite.inventory))
    processor = SimulatedProcessorServicer(suite.payment.processor)
    entries = await processor.ListProcessorEntries(
        processor_rpc.ListProcessorEntriesRequest(page_size=_ALL), None
    )
    assert not entries.more
    return Snapshot(
        orders=await suite.orders.snapshots(),
        sagas=(),
        payments=(
            await payments.ListPayments(payment_rpc.ListPaymentsRequest(page_size=_ALL))
        ).payments,
        ledger=(
            await payments.ListLedgerEntries(payment_rpc.ListLedgerEntriesRequest(page_size=_ALL))
        ).entries,
        processor=entries.entries,
        stock=(await inventory.ListStock(inventory_rpc.ListStockRequest(page_size=_ALL))).stock,
        movements=(
            await inventory.ListStockMovements(
                inventory_rpc.ListStockMovementsRequest(page_size=_ALL)
            )
        ).movements,
        reservations=(
            await inventory.ListReservations(inventory_rpc.ListReservationsRequest(page_size=_ALL))
        ).reservations,
        notifications=(),
        summaries=(),
        dead_letters=(),
        mails={},
    )
