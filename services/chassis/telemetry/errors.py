"""The error of a start: MetricsAddressError, the operator chooses another address."""


class MetricsAddressError(Exception):
    """The metrics can't be served at the address of the settings; the cause is an OSError."""
