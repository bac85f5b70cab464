"""What makes a web application the storefront: routes, files, and what its endpoints need."""

import random
import uuid
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from services.storefront.live import streams
from services.storefront.mobile import screens
from services.storefront.pages import routes as pages
from services.storefront.settings import StorefrontSettings

NAME = "storefront"
PREFIX = "/shop"
ROUTES = (*pages.ROUTES, *screens.ROUTES, *streams.ROUTES)
TEMPLATES = Path(__file__).with_name("templates")
STATIC = Path(__file__).with_name("static")


def state_of(settings: StorefrontSettings, *, rng: random.Random) -> Mapping[str, object]:
    """Return what the endpoints find in `request.app.state`."""
    return {
        "storefront": settings,
        "rng": rng,
        "new_request_id": partial(_new_request_id, rng),
    }


def _new_request_id(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
