"""Amounts of money as a customer reads them."""

from types import MappingProxyType

from services.chassis.domain.money import Money

# Currencies whose minor unit is not a hundredth (ISO 4217).
_DECIMALS = MappingProxyType(
    {
        **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"), 0),
        **dict.fromkeys(("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
        **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
        **dict.fromkeys(("CLF", "UYW"), 4),
    }
)


def format_amount(amount: Money) -> str:
    """Format an amount as `USD 12.50`, with the decimals that ISO 4217 gives the currency."""
    decimals = _DECIMALS.get(amount.currency_code, 2)
    if decimals == 0:
        return f"{amount.currency_code} {amount.minor_units}"
    whole, part = divmod(amount.minor_units, 10**decimals)
    return f"{amount.currency_code} {whole}.{part:0{decimals}d}"
