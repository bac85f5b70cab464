"""Messages by SMTP, a connection each; STARTTLS where the server offers it."""

import aiosmtplib

from services.notification.sending.port import (
    MessageRefusedError,
    Outgoing,
    SenderUnavailableError,
    to_email,
)

_PERMANENT = range(500, 600)


class SmtpSender:
    """Implements Sender, towards one mail server.

    `timeout_s` bounds each step of the conversation.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        timeout_s: float,
        username: str | None = None,
        password: str | None = None,
        use_tls: bool = False,
    ) -> None:
        self._host = host
        self._port = port
        self._timeout_s = timeout_s
        self._username = username
        self._password = password
        self._use_tls = use_tls

    async def send(self, message: Outgoing) -> None:
        """Return once the server took it. Raises SenderUnavailableError and MessageRefusedError.

        Only a permanent answer (5xx) to this very message is a refusal; to a login it means that
        the settings are wrong, and the message waits until they are right.
        """
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._username,
            password=self._password,
            use_tls=self._use_tls,
            timeout=self._timeout_s,
        )
        try:
            async with client:
                await client.send_message(
                    to_email(message), sender=message.sender, recipients=[message.recipient]
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _failure(error.recipients[0]) from error
        except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
            raise _failure(error) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise SenderUnavailableError(f"{type(error).__name__}: {error}") from error


def _failure(error: aiosmtplib.SMTPResponseException) -> Exception:
    said = f"{error.code} {error.message}"
    return MessageRefusedError(said) if error.code in _PERMANENT else SenderUnavailableError(said)
