"""`python -m services.storefront`: reads the settings and serves until a signal stops it."""

import random
import sys
from functools import partial

from discovery.clock import SystemClock
from services.chassis.environment import read
from services.chassis.server import program
from services.chassis.server.settings import RegistrySettings
from services.storefront.application import NAME, storefront
from services.storefront.settings import StorefrontSettings
from services.web.program import serve_application


async def main() -> None:
    """Serve. Raises SettingError and CannotListenError."""
    # Its numbers become request_ids, which others must not guess.
    clock, rng = SystemClock(), random.SystemRandom()
    build = partial(storefront, read(StorefrontSettings), rng=rng)
    await serve_application(NAME, build, registry=read(RegistrySettings), clock=clock, rng=rng)


if __name__ == "__main__":
    sys.exit(program.run(main, service=NAME, instance_setting="TRADEPOST_WEB_INSTANCE_ID"))
