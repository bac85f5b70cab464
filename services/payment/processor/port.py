"""The port to the outside party that moves money.

Every call carries a key, and a key has one effect: a repeated call returns the answer of the first
one, even if that answer was lost. An answer is evidence; an exception is not:

    ProcessorUnavailableError    the outcome of the call is unknown: repeat it under its key
    ProcessorContradictionError  it contradicts an earlier answer: the outcome is unknown, too, and
                                 an operator must look

"Not found" is a contradiction, never evidence: a processor can lose its records.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import grpc

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
    """There is no answer: it is unknown whether the call had its effect."""


class ProcessorContradictionError(Exception):
    """The answer is impossible: the authorization is another one, or is not known."""


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
        """Set money aside: Authorized, Declined, or Voided where a void of this key came first."""
        ...

    async def capture(self, *, key: str, authorization_reference: str, amount: Money) -> Evidence:
        """Take everything that is set aside: Captured, NotCaptured, Expired, Voided."""
        ...

    async def void(self, *, key: str, authorize_key: str, authorization_reference: str) -> Evidence:
        """Release what was set aside under `authorize_key`: Voided, Expired.

        If nothing was set aside, `authorization_reference` is "", and a later authorize with that
        key sets nothing aside.
        """
        ...

    async def refund(self, *, key: str, authorization_reference: str, amount: Money) -> Evidence:
        """Give back all or part of what was captured: Refunded, RefundRefused."""
        ...


@dataclass(frozen=True, slots=True)
class TestingService:
    """A gRPC service of a processor that shows what it did, to compare it with the ledger."""

    name: str
    add_to_server: Callable[[grpc.aio.Server], None]


async def make_call(processor: Processor, call: ProcessorCall) -> Evidence:
    """Make a call; returns its evidence."""
    match call:
        case AuthorizeCall():
            return await processor.authorize(
                key=call.key,
                order_id=call.order_id,
                amount=call.amount,
                payment_method=call.payment_method,
                expire_after=call.expire_after,
            )
        case CaptureCall():
            return await processor.capture(
                key=call.key,
                authorization_reference=call.authorization_reference,
                amount=call.amount,
            )
        case VoidCall():
            return await processor.void(
                key=call.key,
                authorize_key=call.authorize_key,
                authorization_reference=call.authorization_reference,
            )
        case RefundCall():
            return await processor.refund(
                key=call.key,
                authorization_reference=call.authorization_reference,
                amount=call.amount,
            )
