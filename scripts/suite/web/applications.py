"""Which web applications a suite has, where they are at the edge, and what their processes read."""

from collections.abc import Mapping
from dataclasses import dataclass

from scripts.suite.issuer import AUDIENCE, ISSUER
from scripts.suite.login.clients import LoginClient
from scripts.suite.secure.call_graph import CONSOLE, STOREFRONT
from scripts.suite.secure.credentials import Credentials

# The first path of an application is where its pages begin.
PATHS: Mapping[str, tuple[str, ...]] = {STOREFRONT: ("/shop", "/mobile"), CONSOLE: ("/console",)}
# Two of the shop, so that one may die; the console is for a person who waits and tries again.
INSTANCES: Mapping[str, int] = {STOREFRONT: 2, CONSOLE: 1}
# For the login and the instances.
PORTS = 1 + sum(INSTANCES.values())
# The setting of an edge that serves them.
EDGE_SETTINGS: Mapping[str, str] = {
    "TRADEPOST_EDGE_PAGES": ",".join(
        f"{path}={application}" for application, paths in PATHS.items() for path in paths
    )
}


def home(application: str) -> str:
    """The path at which an application's pages begin."""
    return PATHS[application][0]


def login_client(application: str, public_url: str) -> LoginClient:
    """What the login knows of an application that browsers reach at `public_url`."""
    pages = f"{public_url}{home(application)}"
    return LoginClient(application, (f"{pages}/login/callback",), (pages, f"{pages}/"))


@dataclass(frozen=True, slots=True)
class Shared:
    """What all instances are told: where browsers, login and Consul are, and how to encrypt."""

    public_url: str
    login_url: str
    consul: str
    session_key: str
    credentials: Credentials | None

    def environment(self, application: str, number: int, port: int) -> dict[str, str]:
        """The variables of one instance."""
        secure = {} if self.credentials is None else self.credentials.settings(application)
        return {
            **secure,
            "CONSUL_HTTP_ADDR": self.consul,
            "TRADEPOST_WEB_PORT": str(port),
            "TRADEPOST_WEB_PUBLIC_URL": self.public_url,
            "TRADEPOST_WEB_SESSION_KEYS": self.session_key,
            "TRADEPOST_WEB_INSTANCE_ID": f"{application}-{number}",
            "TRADEPOST_LOGIN_ISSUER": self.login_url,
            "TRADEPOST_LOGIN_CLIENT_ID": application,
            # The login is this run's own; its access tokens are those that services take.
            "TRADEPOST_LOGIN_TOKEN_ISSUER": ISSUER,
            "TRADEPOST_LOGIN_AUDIENCE": AUDIENCE,
        }
