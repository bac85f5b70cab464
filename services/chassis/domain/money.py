"""An amount of money."""

from dataclasses import dataclass

# The largest amount of one price, order or payment: ten trillion dollars. Sums of thousands of them
# still fit into 64 bits.
MAX_AMOUNT_MINOR = 10**15


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one ISO 4217 currency in its smallest unit (cents of USD, yen of JPY)."""

    currency_code: str
    minor_units: int
