"""`python -m services.storefront`: reads the settings and serves until a signal stops it."""

import random
import sys

from discovery.clock import SystemClock
from services.chassis.environment import read
from services.chassis.server import program
from services.storefront.application import NAME, PREFIX, ROUTES, STATIC, TEMPLATES, state_of
from services.storefront.settings import StorefrontSettings
from services.web.program import serve_application


async def main() -> None:
    """Serve. Raises SettingError and CannotListenError."""
    clock, rng = SystemClock(), random.Random()
    await serve_application(
        NAME,
        ROUTES,
        prefix=PREFIX,
        templates=TEMPLATES,
        static=STATIC,
        clock=clock,
        rng=rng,
        state=state_of(read(StorefrontSettings), rng=rng),
    )


if __name__ == "__main__":
    sys.exit(program.run(main))
