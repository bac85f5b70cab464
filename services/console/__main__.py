"""`python -m services.console`: reads the settings and serves until a signal stops it."""

import random
import sys
from functools import partial

from discovery.clock import SystemClock
from services.chassis.environment import read
from services.chassis.server import program
from services.chassis.server.settings import RegistrySettings
from services.console.application import NAME, console
from services.console.registry import opened_registry
from services.console.settings import ConsoleSettings
from services.web.program import serve_application


async def main() -> None:
    """Serve. Raises SettingError and CannotListenError."""
    settings, registry = read(ConsoleSettings), read(RegistrySettings)
    # Its numbers become request_ids, which others must not guess.
    clock, rng = SystemClock(), random.SystemRandom()
    async with opened_registry(registry, clock=clock, rng=rng) as listed:
        build = partial(console, settings, registry=listed, rng=rng)
        await serve_application(NAME, build, registry=registry, clock=clock, rng=rng)


if __name__ == "__main__":
    sys.exit(program.run(main, service=NAME, instance_setting="TRADEPOST_WEB_INSTANCE_ID"))
