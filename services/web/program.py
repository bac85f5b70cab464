"""Composes a web application as a program: settings from the environment, channels, certificates.

# services/storefront/__main__.py
main = partial(serve_application, "storefront", ROUTES, prefix="/shop", templates=TEMPLATES, ...)
sys.exit(program.run(main))
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from starlette.routing import BaseRoute

from discovery.clock import Clock
from services.chassis.environment import read
from services.chassis.identity.security import secured
from services.chassis.ids import IdFactory
from services.chassis.server.settings import RegistrySettings
from services.web.application import NO_STATE, web_application
from services.web.services import open_services
from services.web.serving import serve
from services.web.settings import LoginSettings, TargetSettings, WebSettings


async def serve_application(
    name: str,
    routes: Sequence[BaseRoute],
    *,
    prefix: str,
    templates: Path,
    clock: Clock,
    rng: random.Random,
    static: Path | None = None,
    state: Mapping[str, object] = NO_STATE,
) -> None:
    """Serve an application until a signal stops it.

    `name` is that of its registration and of its certificate; the rest is as `web_application` has
    it. Raises SettingError, also for an open application on an address that other machines reach.
    """
    settings, login = read(WebSettings), read(LoginSettings)
    registry, targets = read(RegistrySettings), read(TargetSettings)
    ids = IdFactory(clock=clock, rng=rng)
    async with (
        secured(name, settings.addresses, clock=clock, rng=rng) as security,
        open_services(
            targets, clock=clock, rng=rng, certificates=security.certificates
        ) as services,
    ):
        app = web_application(
            name,
            routes,
            prefix=prefix,
            templates=templates,
            static=static,
            state=state,
            settings=settings,
            login=login,
            services=services,
            clock=clock,
            ids=ids,
        )
        await serve(
            app,
            settings,
            name=name,
            registry=registry,
            clock=clock,
            ids=ids,
            rng=rng,
            security=security,
        )
