"""Logs when something outside of the process stops answering, and when it answers again."""

from services.chassis.telemetry import logs
from services.chassis.telemetry.error_text import describe


class OutageLog:
    """The log of one thing outside, such as a mail server, whose address `setting` holds.

    Work that needs it is tried again and again, so only the begin and the end of an outage are
    logged.
    """

    def __init__(self, component: str, *, setting: str) -> None:
        self._log = logs.get_logger(component, setting=setting)
        self._is_out = False

    def failed(self, error: Exception) -> None:
        """Record that it did not answer."""
        if not self._is_out:
            self._log.warning("unavailable", cause=describe(error))
        self._is_out = True

    def answered(self) -> None:
        """Record that it answered, whatever it said."""
        if self._is_out:
            self._log.info("available_again")
        self._is_out = False
