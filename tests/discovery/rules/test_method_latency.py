"""Percentiles of the last 10 s."""

from discovery.rules.method_latency import Latencies


def test_few_samples_say_nothing() -> None:
    """19 samples are too few for a percentile."""
    latencies = Latencies()
    for _ in range(19):
        latencies.add(0.1, 0.0)

    assert latencies.percentile(0.5, now_s=0.0) is None
    latencies.add(0.1, 0.0)
    assert latencies.percentile(0.5, now_s=0.0) == 0.1


def test_half_of_the_answers_were_as_fast_as_the_p50() -> None:
    """The percentile is the nearest rank, in whatever order the samples came."""
    latencies = Latencies()
    for number in reversed(range(100)):
        latencies.add(float(number), 0.0)

    assert latencies.percentile(0.5, now_s=0.0) == 50.0
    assert latencies.percentile(0.95, now_s=0.0) == 95.0
    assert latencies.percentile(1.0, now_s=0.0) == 99.0


def test_samples_are_forgotten_after_10_s() -> None:
    """Samples older than 10 s don't count."""
    latencies = Latencies()
    for _ in range(30):
        latencies.add(0.1, 0.0)
    for _ in range(20):
        latencies.add(0.2, 9.0)

    assert latencies.percentile(0.0, now_s=10.0) == 0.1
    assert latencies.percentile(0.0, now_s=10.1) == 0.2
    assert latencies.percentile(0.0, now_s=20.0) is None
