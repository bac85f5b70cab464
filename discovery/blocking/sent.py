"""What the blocking stack returns for a call."""

from collections.abc import Coroutine
from typing import Any

import grpc

from discovery.call.stack_building import Layer, Send

# The response, and grpc's ended call.
Outcome = tuple[Any, grpc.Call]
# Where `CallState.returns_rpc` is set: grpc's call under way, or a call of ours that repeats it.
# Between `future()` and the pick it is a coroutine (`CallState.in_loop`): down to hedging of the
# outcome, and below it of grpc's call.
Sent = Outcome | grpc.Call | Coroutine[Any, Any, Any]

BlockingSend = Send[Sent]
BlockingLayer = Layer[Sent]
