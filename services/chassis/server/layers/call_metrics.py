"""Measures every call by its method and the code that its caller saw (gRFC A66).

gRPC's own services are left out: a health watch never ends. So are methods that no servicer has,
whose paths may be any text, and which gRPC refuses by itself.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from discovery.clock import Clock
from services.chassis.request.context import Context
from services.chassis.server.layers.layer import Behavior, ServedMethod, observed
from services.chassis.telemetry.declared_metrics import CALL_DURATION, CALL_STARTED

if TYPE_CHECKING:
    from services.chassis.telemetry.metric_recorder import MetricRecorder

_METHOD, _STATUS = CALL_DURATION.attributes


class CallMetrics:
    """The layer that counts and times calls."""

    def __init__(self, metrics: "MetricRecorder", *, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock

    def __call__(self, method: ServedMethod, inner: Behavior) -> Behavior:
        """Wrap the whole call: refusals are counted too."""
        if method.is_infrastructure:
            return inner
        attributes = {_METHOD: method.path.lstrip("/")}
        return observed(
            method,
            inner,
            begin=partial(self._begin, attributes),
            end=partial(self._end, attributes),
        )

    def _begin(self, attributes: Mapping[str, str]) -> float:
        self._metrics.count(CALL_STARTED, attributes)
        return self._clock.monotonic()

    def _end(
        self, attributes: Mapping[str, str], began_s: float, code: str, _context: Context
    ) -> None:
        duration_s = self._clock.monotonic() - began_s
        self._metrics.record(CALL_DURATION, duration_s, {**attributes, _STATUS: code})
