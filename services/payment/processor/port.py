"""The port to the outside party that moves money.

Every call carries a key, and a key has one effect: repeating a call answers what the first one
answered, also when that answer got lost. An answer is evidence. An exception is none:

    ProcessorUnavailableError    what became of the call is unknown: repeat it under its key
    ProcessorContradictionError  it denies what it told before: unknown as well, and somebody
                                 must look

"Not found" is such a denial, never evidence: a processor can lose sight of what it did.
"""

from datetime import timedelta
from typing import Protocol

from services.chassis.domain.money import Money
from services.payment.domain.commands import Evidence
from services.payment.domain.processor_calls import (
    AuthorizeCall,
    CaptureCall,
    ProcessorCall,
    RefundCall,
    VoidCall,
)


class ProcessorUnavailableError(Exception):
    """No answer: whether the call had its effect is unknown."""


class ProcessorContradictionError(Exception):
    """An answer that can't be: it tells of an authorization that is another or none."""


class Processor(Protocol):
    """Moves money. All methods raise ProcessorUnavailableError, ProcessorContradictionError."""

    async def authorize(
        self,
        *,
        key: str,
        order_id: str,
        amount: Money,
        payment_method: str,
        expire_after: timedelta,
    ) -> Evidence:
        """Set money aside: Authorized, Declined; Voided where a void of this key came first."""
        ...

    async def capture(self, *, key: str, authorization_reference: str, amount: Money) -> Evidence:
        """Take all that is set aside: Captured, NotCaptured, Expired, Voided."""
        ...

    async def void(self, *, key: str, authorize_key: str, authorization_reference: str) -> Evidence:
        """Let go what was set aside under `authorize_key`: Voided, Expired.

        Where nothing was, it keeps a late authorize with that key from setting anything aside;
        `authorization_reference` is then "".
        """
        ...

    async def refund(self, *, key: str, authorization_reference: str, amount: Money) -> Evidence:
        """Give back what was captured, or a part of it: Refunded, RefundRefused."""
        ...


async def ask(processor: Processor, intent: ProcessorCall) -> Evidence:
    """Make the call that `intent` stands for."""
    match intent:
        case AuthorizeCall():
            return await processor.authorize(
                key=intent.key,
                order_id=intent.order_id,
                amount=intent.amount,
                payment_method=intent.payment_method,
                expire_after=intent.expire_after,
            )
        case CaptureCall():
            return await processor.capture(
                key=intent.key,
                authorization_reference=intent.authorization_reference,
                amount=intent.amount,
            )
        case VoidCall():
            return await processor.void(
                key=intent.key,
                authorize_key=intent.authorize_key,
                authorization_reference=intent.authorization_reference,
            )
        case RefundCall():
            return await processor.refund(
                key=intent.key,
                authorization_reference=intent.authorization_reference,
                amount=intent.amount,
            )
