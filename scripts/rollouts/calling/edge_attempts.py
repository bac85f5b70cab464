"""Reads attempts from the edge's access log: what callers got who know nothing of `discovery`.

Envoy logs a request once. If it repeated it on another instance, the line tells of the last one.
"""

import json
import re
from datetime import datetime
from pathlib import Path

from discovery.clock import Clock
from scripts.rollouts.calling.watched import Watched
from scripts.rollouts.verdict.attempt import Attempt

_LOOK_EVERY_S = 0.1
_ID = re.compile(r"ord_[0-9a-f]+")
_SERVER_ERRORS = 500


class EdgeAttempts:
    """Tells of each request that ended on a watched instance."""

    def __init__(self, log: Path, watched: Watched, *, clock: Clock) -> None:
        self._log = log
        self._watched = watched
        self._clock = clock

    async def run(self) -> None:
        """Follow the log from its end until cancelled."""
        with self._log.open() as lines:
            lines.seek(0, 2)
            part = ""
            while True:
                part += lines.read()
                *whole, part = part.split("\n")
                for line in whole:
                    self._read(line)
                await self._clock.sleep(_LOOK_EVERY_S)

    def _read(self, line: str) -> None:
        if '"event":"request"' not in line:
            return
        request = json.loads(line)
        arm = self._watched.by_endpoint.get(request.get("instance", ""))
        if arm is None:
            return
        path = _ID.sub("*", request["path"])
        began = datetime.fromisoformat(request["timestamp"])
        latency_s = request["duration_ms"] / 1000
        self._watched.take(
            Attempt(
                arm=arm,
                # Through the edge it takes longer, so it is compared with its like only.
                method=f"{request['method']} {path} at the edge",
                failed=request["status"] >= _SERVER_ERRORS,
                latency_s=latency_s,
                ended_s=began.timestamp() + latency_s,
            )
        )
