"""Composes a web application as a program: settings from the environment, channels, certificates.

# services/storefront/__main__.py
build = partial(storefront, read(StorefrontSettings), rng=rng)
await serve_application(NAME, build, registry=read(RegistrySettings), clock=clock, rng=rng)
"""

import random
from typing import Protocol

from starlette.applications import Starlette

from discovery.clock import Clock
from services.chassis.environment import read
from services.chassis.identity.security import secured
from services.chassis.ids import IdFactory
from services.chassis.server.settings import RegistrySettings
from services.web.services import Services, open_services
from services.web.serving import serve
from services.web.settings import LoginSettings, TargetSettings, WebSettings


class Build(Protocol):
    """Builds an application, by `web_application`, on what all of them have."""

    def __call__(
        self,
        *,
        web: WebSettings,
        login: LoginSettings,
        services: Services,
        clock: Clock,
        ids: IdFactory,
    ) -> Starlette:
        """Return the application."""


async def serve_application(
    name: str, build: Build, *, registry: RegistrySettings, clock: Clock, rng: random.Random
) -> None:
    """Serve an application until a signal stops it.

    `name` is that of its registration and of its certificate. Raises CannotListenError, and
    SettingError, also for an open application on an address that other machines reach.
    """
    web, login, targets = read(WebSettings), read(LoginSettings), read(TargetSettings)
    ids = IdFactory(clock=clock, rng=rng)
    async with (
        secured(name, web.addresses, clock=clock, rng=rng) as security,
        open_services(
            targets, clock=clock, rng=rng, certificates=security.certificates
        ) as services,
    ):
        await serve(
            build(web=web, login=login, services=services, clock=clock, ids=ids),
            web,
            name=name,
            registry=registry,
            clock=clock,
            ids=ids,
            rng=rng,
            security=security,
        )
