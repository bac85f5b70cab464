"""What the blocking stack returns for a call."""

from typing import Any

import grpc

from discovery.call.stack_building import Layer, Send

# The response, and grpc's ended call.
Outcome = tuple[Any, grpc.Call]
# Where `CallState.returns_rpc` is set: grpc's call under way, or a call of ours that repeats it.
Sent = Outcome | grpc.Call

BlockingSend = Send[Sent]
BlockingLayer = Layer[Sent]
