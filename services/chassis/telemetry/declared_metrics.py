"""Every metric of the services, declared once: its name, kind, unit and what it says.

docs/operations.md lists them with what to do about each. Nothing of OpenTelemetry is imported here.
"""

from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    """What is measured: SAMPLED values are read now and then, OBSERVED ones when asked for."""

    COUNTER = auto()
    DURATION = auto()
    SIZE = auto()
    OBSERVED = auto()
    OBSERVED_COUNTER = auto()
    SAMPLED = auto()


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; `attributes` are the keys by which its values are told apart."""

    name: str
    kind: Kind
    unit: str
    description: str
    attributes: tuple[str, ...] = ()


# The calls that a server answers, with the names of gRFC A66.
CALL_STARTED = Metric(
    "grpc.server.call.started", Kind.COUNTER, "{call}", "Calls begun.", ("grpc.method",)
)
CALL_DURATION = Metric(
    "grpc.server.call.duration",
    Kind.DURATION,
    "s",
    "From the call's arrival to its end.",
    ("grpc.method", "grpc.status"),
)

METRICS = (CALL_STARTED, CALL_DURATION)
