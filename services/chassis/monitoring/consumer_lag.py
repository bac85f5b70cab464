"""How far consumers are behind their feeds, in events and in time.

The feed says where its head is, and the store where the consumer is. The time is known from earlier
samples: it began when the head first passed the present position.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from services.chassis.consumer.subscription import Subscription
from services.chassis.telemetry import declared_metrics as declared
from services.chassis.telemetry.metric_recorder import SAMPLE_AGE_MAX_S, MetricRecorder

HEAD_TIMEOUT_S = 3.0
# Samples of a consumer that lags; if there are more, every second one is dropped.
HEADS_MAX = 512
# An epoch and a position in it.
Place: TypeAlias = tuple[str, int]


class ConsumerLag:
    """The lags of all consumers of a service."""

    def __init__(self, metrics: MetricRecorder, subscriptions: Sequence[Subscription]) -> None:
        self._metrics = metrics
        self._subscriptions = {each.inbox.consumer: each for each in subscriptions}
        self._ages = {consumer: LagAge() for consumer in self._subscriptions}
        # The last known head of each feed, and when it was asked for.
        self._heads: dict[str, tuple[float, Place]] = {}

    async def ask_heads(self, now_s: float) -> None:
        """Ask all feeds how far they are."""
        asked = (each.head(HEAD_TIMEOUT_S) for each in self._subscriptions.values())
        answers = await asyncio.gather(*asked)
        for consumer, answer in zip(self._subscriptions, answers, strict=True):
            if answer is not None:
                self._heads[consumer] = (now_s, (answer.epoch, answer.head_position))

    def show(self, positions: Mapping[str, Place], now_s: float) -> None:
        """Show the lags of consumers whose feed has answered lately; others are absent."""
        events: dict[tuple[str, ...], float] = {}
        seconds: dict[tuple[str, ...], float] = {}
        for consumer, (asked_s, (epoch, head)) in self._heads.items():
            if now_s - asked_s > SAMPLE_AGE_MAX_S:
                continue
            reached_epoch, position = positions.get(consumer, (epoch, 0))
            # In another epoch nothing has been applied yet.
            position = position if reached_epoch == epoch else 0
            events[consumer,] = max(0, head - position)
            seconds[consumer,] = self._ages[consumer].at(now_s, head, position)
        self._metrics.show(declared.LAG_EVENTS, events)
        self._metrics.show(declared.LAG_SECONDS, seconds)

    def hide(self) -> None:
        """Show nothing: the store has not said where the consumers are."""
        self._metrics.hide(declared.LAG_EVENTS)
        self._metrics.hide(declared.LAG_SECONDS)


class LagAge:
    """For how long one feed has been ahead of its consumer."""

    def __init__(self) -> None:
        # When a head was first seen; both grow.
        self._seen: list[tuple[float, int]] = []

    def at(self, now_s: float, head: int, position: int) -> float:
        """The seconds since the head first was above the position; 0 if it isn't."""
        if self._seen and head < self._seen[-1][1]:
            # A restored feed, or a new epoch.
            self._seen.clear()
        if not self._seen or head > self._seen[-1][1]:
            self._seen.append((now_s, head))
        while self._seen and self._seen[0][1] <= position:
            del self._seen[0]
        if len(self._seen) > HEADS_MAX:
            self._seen = self._seen[::2]
        return now_s - self._seen[0][0] if self._seen else 0.0
