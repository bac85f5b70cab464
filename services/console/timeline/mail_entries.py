"""The mails about an order: when each was written and when it was sent."""

from collections.abc import Iterator

from tradepost.notification.v1.notification_pb2 import (
    Notification,
    NotificationState,
    NotificationTemplate,
)

from services.console.timeline.entry import Entry, Source
from services.console.timeline.order_record import OrderRecord
from services.console.wire.texts import enum_word, instant, instant_text


def mail_state(mail: Notification) -> str:
    """Which mail it is, and what became of it: "ORDER_CONFIRMED is SENT"."""
    state = enum_word(NotificationState, mail.state, "NOTIFICATION_STATE_")
    return f"{_template(mail)} is {state}"


def mail_trouble(mail: Notification) -> str:
    """Why it was not sent, and when it is tried again; "" where nothing went wrong."""
    if mail.error:
        return mail.error
    delivery = mail.pending_delivery
    if not delivery.last_error:
        return ""
    again = "is under way"
    if delivery.HasField("next_attempt_time"):
        again = f"at {instant_text(instant(delivery.next_attempt_time))}"
    return f"{delivery.last_error} (attempt {delivery.attempt_count}; the next one {again})"


def _template(mail: Notification) -> str:
    return enum_word(NotificationTemplate, mail.template, "NOTIFICATION_TEMPLATE_")


def mail_entries(record: OrderRecord) -> Iterator[Entry]:
    """An entry for a mail that was written, and one for its sending."""
    for mail in record.mails:
        template = _template(mail)
        trouble = mail_trouble(mail)
        error = (("error", trouble),) if trouble else ()
        yield Entry(
            time=instant(mail.create_time),
            source=Source.MAIL,
            title=f"mail written: {mail_state(mail)}",
            facts=(("to", mail.recipient), ("subject", mail.subject), *error),
            troubled=bool(trouble),
        )
        if mail.HasField("send_time"):
            yield Entry(
                time=instant(mail.send_time),
                source=Source.MAIL,
                title=f"mail {template} sent",
                facts=(("to", mail.recipient),),
                place=1,
            )
