"""Sends emails by SMTP, on one connection each, with STARTTLS where the server offers it.

A login needs TLS: without STARTTLS the password is not sent.
"""

import aiosmtplib

from services.notification.sending.mime import to_mime
from services.notification.sending.port import Email, MessageRefusedError, SenderUnavailableError

_PERMANENT = range(500, 600)


class SmtpSender:
    """Implements Sender with one mail server.

    `timeout_s` bounds each step of the SMTP dialogue.
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

    async def send(self, email: Email) -> None:
        """Return once the server accepted it. Raises SenderUnavailableError, MessageRefusedError.

        Only a permanent answer (5xx) to the email itself is a refusal. A permanent answer to the
        login means that the settings are wrong: the email waits until they are right.
        """
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._username,
            password=self._password,
            use_tls=self._use_tls,
            # A password must not go in the clear, also when STARTTLS was taken out of the answer.
            start_tls=True if self._password is not None and not self._use_tls else None,
            timeout=self._timeout_s,
        )
        try:
            async with client:
                await client.send_message(
                    to_mime(email), sender=email.sender, recipients=[email.recipient]
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _failure(error.recipients[0]) from error
        except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
            raise _failure(error) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise SenderUnavailableError(f"{type(error).__name__}: {error}") from error


def _failure(error: aiosmtplib.SMTPResponseException) -> Exception:
    answer = f"{error.code} {error.message}"
    if error.code in _PERMANENT:
        return MessageRefusedError(answer)
    return SenderUnavailableError(answer)
