"""Converts instants to what tables store: whole microseconds since the Unix epoch, no floats."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(instant: datetime) -> int:
    """Convert a timezone-aware instant to microseconds since the Unix epoch.

    Raises TypeError for a datetime without a timezone.
    """
    return (instant - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Convert microseconds since the Unix epoch to an instant in UTC."""
    return _EPOCH + timedelta(microseconds=micros)
