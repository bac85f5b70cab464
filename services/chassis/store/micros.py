"""Instants in tables: whole microseconds since the Unix epoch, with no float on the way."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(instant: datetime) -> int:
    """Microseconds since the Unix epoch of a timezone-aware instant.

    Raises TypeError for a naive datetime: an instant without a zone is no instant.
    """
    return (instant - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The instant, timezone aware in UTC, that lies `micros` microseconds after the Unix epoch."""
    return _EPOCH + timedelta(microseconds=micros)
