"""The ways of paying that the demo's processor knows, by the tokens that script its answers.

A real shop would show the cards that a customer has stored with a real processor.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """A token of the processor, and how the checkout names it."""

    token: str
    label: str


METHODS = (
    PaymentMethod("pm_visa", "Visa ending in 4242"),
    PaymentMethod("pm_mastercard", "Mastercard ending in 4444"),
    PaymentMethod("pm_slow", "A card whose bank takes its time"),
    PaymentMethod("pm_insufficient_funds", "A card without enough money"),
    PaymentMethod("pm_expired_card", "An expired card"),
    PaymentMethod("pm_unavailable_after", "A card whose bank's answer gets lost once"),
)
