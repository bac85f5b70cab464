"""The recent latencies of one method's attempts, and their percentiles."""

from collections import deque

WINDOW_S = 10.0
MIN_SAMPLES = 20
# A busy method keeps only its newest samples, so that a percentile stays cheap to compute.
MAX_SAMPLES = 1000


class Latencies:
    """Latencies of the successful attempts of the last 10 s (the newest 1,000 of them)."""

    __slots__ = ("_samples",)

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=MAX_SAMPLES)

    def add(self, latency_s: float, now_s: float) -> None:
        self._samples.append((now_s, latency_s))

    def percentile(self, fraction: float, *, now_s: float) -> float | None:
        """The latency in seconds that `fraction` of the attempts didn't exceed (nearest rank).

        None while there are fewer than 20 samples in the window.
        """
        samples = self._samples
        while samples and samples[0][0] < now_s - WINDOW_S:
            samples.popleft()
        if len(samples) < MIN_SAMPLES:
            return None
        ordered = sorted(latency_s for _, latency_s in samples)
        return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]
