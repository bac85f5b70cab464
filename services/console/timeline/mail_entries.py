"""The mails about an order: when each was written and when it was sent."""

from collections.abc import Iterator

from tradepost.notification.v1.notification_pb2 import (
    Notification,
    NotificationState,
    NotificationTemplate,
)

from services.console.timeline.entry import Entry, Source
from services.console.timeline.order_record import OrderRecord
from services.console.wire.texts import enum_word, instant


def mail_state(mail: Notification) -> str:
    """Which mail it is, and what became of it: "ORDER_CONFIRMED is SENT"."""
    state = enum_word(NotificationState, mail.state, "NOTIFICATION_STATE_")
    return f"{_template(mail)} is {state}"


def _template(mail: Notification) -> str:
    return enum_word(NotificationTemplate, mail.template, "NOTIFICATION_TEMPLATE_")


def mail_entries(record: OrderRecord) -> Iterator[Entry]:
    """An entry for a mail that was written, and one for its sending."""
    for mail in record.mails:
        template = _template(mail)
        is_refused = mail.state == NotificationState.NOTIFICATION_STATE_REFUSED
        error = (("error", mail.error),) if mail.error else ()
        yield Entry(
            time=instant(mail.create_time),
            source=Source.MAIL,
            title=f"mail written: {mail_state(mail)}",
            facts=(("to", mail.recipient), ("subject", mail.subject), *error),
            troubled=is_refused,
        )
        if mail.HasField("send_time"):
            yield Entry(
                time=instant(mail.send_time),
                source=Source.MAIL,
                title=f"mail {template} sent",
                facts=(("to", mail.recipient),),
                place=1,
            )
