"""`python -m scripts.suite.login`: the development login at 127.0.0.1, until it is stopped.

LOGIN_PORT is where it listens, LOGIN_KEYS_FILE has the issuer's keys, and LOGIN_CLIENTS holds the
applications in JSON, as `clients` writes them.
"""

import os
import secrets
from pathlib import Path

import uvicorn

from discovery.clock import SystemClock
from scripts.suite.issuer import Issuer
from scripts.suite.login import clients
from scripts.suite.login.provider import HOST, login_provider

CODE_BYTES = 32


def main() -> None:
    """Serve until SIGTERM."""
    port = int(os.environ["LOGIN_PORT"])
    clock = SystemClock()
    app = login_provider(
        f"http://{HOST}:{port}",
        clients.from_json(os.environ["LOGIN_CLIENTS"]),
        issuer=Issuer.load(Path(os.environ["LOGIN_KEYS_FILE"]), clock=clock),
        clock=clock,
        new_code=lambda: secrets.token_urlsafe(CODE_BYTES),
    )
    # Addresses of requests hold codes.
    uvicorn.run(app, host=HOST, port=port, access_log=False, server_header=False)


if __name__ == "__main__":
    main()
