"""Serves the entries of the simulated processor, where TRADEPOST_PAYMENT_TESTING is set."""

from functools import partial

from tradepost.payment.testing.v1 import simulated_processor_pb2 as book_pb
from tradepost.payment.testing.v1 import simulated_processor_service_pb2 as pb
from tradepost.payment.testing.v1 import simulated_processor_service_pb2_grpc

from services.chassis.request import pages
from services.chassis.request.answer_size import fitting_messages
from services.chassis.request.context import Context
from services.chassis.request.enum_numbers import enum_numbers
from services.chassis.request.validation import MAX_INT64, Check
from services.chassis.request.wire_values import to_money, to_timestamp
from services.payment.processor.port import TestingService
from services.payment.processor.simulated.adapter import SimulatedProcessor
from services.payment.processor.simulated.entry_table import EntryKind, ProcessorEntry

_KINDS = enum_numbers(
    EntryKind,
    book_pb.ProcessorEntryKind.Value,
    "PROCESSOR_ENTRY_KIND",
    leave_out={EntryKind.FENCED},
)


_SERVICE = pb.DESCRIPTOR.services_by_name["SimulatedProcessorService"].full_name


def testing_service(processor: SimulatedProcessor) -> TestingService:
    """The service that lists the processor's entries."""
    servicer = SimulatedProcessorServicer(processor)
    add = partial(
        simulated_processor_service_pb2_grpc.add_SimulatedProcessorServiceServicer_to_server,
        servicer,
    )
    return TestingService(_SERVICE, add)


class SimulatedProcessorServicer(
    simulated_processor_service_pb2_grpc.SimulatedProcessorServiceServicer
):
    """Serves tradepost.payment.testing.v1.SimulatedProcessorService."""

    def __init__(self, processor: SimulatedProcessor) -> None:
        self._processor = processor

    async def ListProcessorEntries(
        self,
        request: pb.ListProcessorEntriesRequest,
        context: Context,
    ) -> pb.ListProcessorEntriesResponse:
        """List what the processor did, in the order in which it did it."""
        after_sequence, size = _selection(request)
        entries = await self._processor.entries(after_sequence, size + 1)
        messages = map(_to_entry, entries[:size])
        listed = list(fitting_messages(messages))
        return pb.ListProcessorEntriesResponse(entries=listed, more=len(entries) > len(listed))


def _selection(request: pb.ListProcessorEntriesRequest) -> tuple[int, int]:
    check = Check()
    after = check.integer("after_sequence", request.after_sequence, minimum=0, maximum=MAX_INT64)
    size = pages.check_page_size(check, request.page_size)
    check.done()
    return after, size


def _to_entry(entry: ProcessorEntry) -> book_pb.ProcessorEntry:
    return book_pb.ProcessorEntry(
        sequence=entry.sequence,
        kind=_KINDS[entry.kind],
        key=entry.key,
        authorization_reference=entry.authorization_reference,
        order_id=entry.order_id,
        amount=to_money(entry.amount),
        occur_time=to_timestamp(entry.occur_time),
    )
