"""What the driver writes belongs to the story in which it was asked for."""

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


async def test_the_answer_belongs_to_the_story_of_its_question(databases: Databases) -> None:
    """Whoever hears it: the process that asked, or the next one after a crash."""
    story = Correlation("basket-7", traceparent=TRACEPARENT)
    processor = MemoryProcessor()
    correlation.bind(story)
    async with instance(databases, processor, lease_s=0.2) as first:
        heard = (await ask(first, payment_requests.authorize())).payment.payment_id
        processor.gate.clear()
        left = (await ask(first, payment_requests.authorize(), within_s=0.05)).payment.payment_id
        await processor.asked(times=2)
    processor.gate.set()
    correlation.bind(correlation.EMPTY)
    async with instance(databases, processor, name="two") as second:
        await until(second, left, lambda payment: payment.state is PaymentState.AUTHORIZED)
        for payment_id in (heard, left):
            events = await second.database.read(LOG.read_stream, payment_id)
            told = [(event.correlation_id, event.traceparent) for event in events]
            assert told == [(story.correlation_id, story.traceparent)] * 2
