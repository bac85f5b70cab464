"""`python -m services.storefront`: reads the settings and serves until a signal stops it."""

import random
import sys

from discovery.clock import SystemClock
from services.chassis.environment import read
from services.chassis.identity.security import secured
from services.chassis.ids import IdFactory
from services.chassis.server import program
from services.chassis.server.settings import RegistrySettings
from services.storefront.application import NAME, storefront
from services.storefront.settings import StorefrontSettings
from services.web.services import open_services
from services.web.serving import serve
from services.web.settings import LoginSettings, TargetSettings, WebSettings


async def main() -> None:
    """Serve. Raises SettingError and CannotListenError."""
    settings, web, login = read(StorefrontSettings), read(WebSettings), read(LoginSettings)
    # Its numbers become request_ids, which others must not guess.
    clock, rng = SystemClock(), random.SystemRandom()
    ids = IdFactory(clock=clock, rng=rng)
    # Browsers come through the edge, which dials this address.
    addresses = {"TRADEPOST_WEB_HOST": web.host}
    async with (
        secured(NAME, addresses, clock=clock, rng=rng) as security,
        open_services(
            read(TargetSettings), clock=clock, rng=rng, certificates=security.certificates
        ) as services,
    ):
        app = storefront(
            settings, web=web, login=login, services=services, clock=clock, ids=ids, rng=rng
        )
        await serve(
            app,
            web,
            name=NAME,
            registry=read(RegistrySettings),
            clock=clock,
            ids=ids,
            rng=rng,
            security=security,
        )


if __name__ == "__main__":
    sys.exit(program.run(main))
