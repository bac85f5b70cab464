"""An amount of money."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one ISO 4217 currency in its smallest unit (cents of USD, yen of JPY)."""

    currency_code: str
    minor_units: int
