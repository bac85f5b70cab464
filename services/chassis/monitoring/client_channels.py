"""What the channels to other services know: instances, ejections and breakers."""

from collections import Counter
from collections.abc import Callable, Sequence

from discovery.balancing.explanation import Explanation
from services.chassis.telemetry import declared_metrics as declared
from services.chassis.telemetry.metric_recorder import MetricRecorder

_EJECTED = "EJECTED"


class ClientChannels:
    """The channels of a process: the target of each, and the function that explains it."""

    def __init__(
        self, metrics: MetricRecorder, channels: Sequence[tuple[str, Callable[[], Explanation]]]
    ) -> None:
        self._metrics = metrics
        self._channels = channels
        self._ejections: dict[tuple[str, ...], float] = {}
        metrics.observe(declared.EJECTIONS, self._ejections.copy)

    def show(self) -> None:
        """Show them as they are now; call it on their event loop."""
        instances: Counter[tuple[str, ...]] = Counter()
        refuses: dict[tuple[str, ...], float] = {}
        for target, explain in self._channels:
            channel = explain()
            self._ejections[target,] = channel.ejections
            instances.update(
                (target, one.state if one.ejected is None else _EJECTED)
                for one in channel.instances
            )
            for breaker in channel.breakers:
                method = breaker.method.lstrip("/")
                refuses[target, method] = int(breaker.refusing)
        self._metrics.show(declared.INSTANCES, instances)
        self._metrics.show(declared.BREAKER_REFUSES, refuses)
