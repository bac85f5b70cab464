"""`python -m services.console`: reads the settings and serves until a signal stops it."""

import random
import sys

from discovery.clock import SystemClock
from services.chassis.environment import read
from services.chassis.identity.security import secured
from services.chassis.ids import IdFactory
from services.chassis.server import program
from services.chassis.server.settings import RegistrySettings
from services.console.application import NAME, console
from services.console.registry import opened_registry
from services.console.settings import ConsoleSettings
from services.web.services import open_services
from services.web.serving import serve
from services.web.settings import LoginSettings, TargetSettings, WebSettings


async def main() -> None:
    """Serve. Raises SettingError and CannotListenError."""
    settings, web, login = read(ConsoleSettings), read(WebSettings), read(LoginSettings)
    registry = read(RegistrySettings)
    # Its numbers become request_ids, which others must not guess.
    clock, rng = SystemClock(), random.SystemRandom()
    ids = IdFactory(clock=clock, rng=rng)
    async with (
        secured(NAME, web.addresses, clock=clock, rng=rng) as security,
        open_services(
            read(TargetSettings), clock=clock, rng=rng, certificates=security.certificates
        ) as services,
        opened_registry(registry, clock=clock, rng=rng) as listed,
    ):
        app = console(
            settings,
            web=web,
            login=login,
            services=services,
            registry=listed,
            clock=clock,
            ids=ids,
            rng=rng,
        )
        await serve(
            app,
            web,
            name=NAME,
            registry=registry,
            clock=clock,
            ids=ids,
            rng=rng,
            security=security,
        )


if __name__ == "__main__":
    sys.exit(program.run(main))
