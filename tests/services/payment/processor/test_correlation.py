"""Events that the driver writes have the correlation of the request."""

from services.chassis.log.event_log import EventLog
from services.chassis.telemetry import correlation
from services.chassis.telemetry.correlation import Correlation
from services.payment.domain.state import PaymentState
from tests.support.payment import payment_requests
from tests.support.payment.payment_instances import CLOCK, IDS, ask, instance, until
from tests.support.payment.scripted_processor import MemoryProcessor
from tests.support.store.databases import Databases

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
LOG = EventLog(clock=CLOCK, ids=IDS)


async def test_an_answer_has_the_correlation_of_its_request(databases: Databases) -> None:
    """An answer has the correlation of its request, also if another process records it."""
    trace = Correlation("basket-7", traceparent=TRACEPARENT)
    processor = MemoryProcessor()
    correlation.bind(trace)
    async with instance(databases, processor, lease_s=0.2) as first:
        answered = (await ask(first, payment_requests.authorize())).payment.payment_id
        processor.gate.clear()
        pending = (await ask(first, payment_requests.authorize(), within_s=0.05)).payment.payment_id
        await processor.asked(times=2)
    processor.gate.set()
    correlation.bind(correlation.EMPTY)
    async with instance(databases, processor, name="two") as second:
        await until(second, pending, lambda payment: payment.state is PaymentState.AUTHORIZED)
        for payment_id in (answered, pending):
            events = await second.database.read(LOG.read_stream, payment_id)
            recorded = [(event.correlation_id, event.traceparent) for event in events]
            assert recorded == [(trace.correlation_id, trace.traceparent)] * 2
