"""Targets: the texts by which callers say what to connect to, and their parsed form.

consul:///order              the service in the agent named by CONSUL_HTTP_ADDR
consul:///order?tag=v2       only instances that carry the tag
consul://10.0.0.9:8500/order the service in that agent
static:///10.0.0.1:50051,10.0.0.2:50051
dns:///order.internal:50051  every address of the name, looked up regularly
dns://127.0.0.1:8600/order.service.consul
                             what that DNS server says of the name, here with the ports (SRV)
unix:///run/order.sock       a Unix domain socket, as grpc names it; also unix:run/order.sock
unix-abstract:order          a socket in Linux's abstract namespace
memory:///order              a registry inside the process (tests, simulation);
                             memory://name/order names one of several
etcd:///order?tag=v2         any other scheme, with a watcher of the caller's own
"""

import re
from dataclasses import dataclass

from discovery.errors import InvalidTargetError
from discovery.registry.instance import SOCKETS

SCHEMES = ("consul", "static", "dns", "memory")

_LAST_PORT = 65_535
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/=-]*")
_HOST_AND_PORT = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed target.

    `service` is what a registry is asked for, and the default authority of calls: the service's
    name, the first address of a `static` or `dns` target, or "localhost" for a Unix domain socket,
    as in grpc. `addresses` (`host:port`, `unix:path`, or a name that a DNS server is asked for) are
    set for these schemes only.
    """

    scheme: str
    authority: str
    service: str
    tag: str | None
    addresses: tuple[str, ...]

    @property
    def wanted(self) -> str:
        """What is looked for, in words, for messages to people."""
        return self.service if self.tag is None else f"{self.service} with the tag {self.tag}"


def parse_target(text: str, *, any_scheme: bool = False) -> Target:
    """Parse a target. Raises InvalidTargetError, which says at which character the fault is.

    With `any_scheme` the scheme may be one that this package doesn't know, because the caller has a
    registry of its own. The rest then has the form of a registry's target: `//[any]/service`.
    """
    if text.startswith(SOCKETS):
        return _socket(text)
    scheme, separator, rest = text.partition("://")
    name = scheme.split(":")[0]
    if name not in SCHEMES and not (any_scheme and _SCHEME.fullmatch(name)):
        known = ", ".join((*(f"{name}://" for name in SCHEMES), *SOCKETS))
        raise InvalidTargetError(
            text, 0, f"it must begin with one of {known} (or have a watcher of its own)"
        )
    if not separator:
        raise InvalidTargetError(text, len(scheme.split(":")[0]), "expected '://'")
    authority, slash, path = rest.partition("/")
    if not slash:
        raise InvalidTargetError(text, len(text), "expected '/' before the name")
    path_at = len(text) - len(path)
    if scheme == "dns" and authority:
        return _asked_at(text, authority, path, path_at)
    if scheme in ("static", "dns"):
        return _listed(text, scheme, authority, path, path_at)
    return _named(text, scheme, authority, path, path_at)


def _socket(text: str) -> Target:
    """Parse a Unix domain socket: `unix:path`, `unix:///path` or `unix-abstract:name`."""
    scheme, _, path = text.partition(":")
    path_at = len(text) - len(path)
    if path.startswith("//") and not path.startswith("///"):
        raise InvalidTargetError(text, path_at + 2, f"{scheme}:// takes no authority")
    if not path.strip("/"):
        raise InvalidTargetError(text, len(text), "expected the path of a socket")
    return Target(scheme, "", "localhost", None, (text,))


def _named(text: str, scheme: str, authority: str, path: str, path_at: int) -> Target:
    """Parse a service of a registry: `//[authority]/service[?tag=...]`."""
    if scheme == "consul" and authority:
        _check_address(text, authority, path_at - 1 - len(authority))
    service, _, query = path.partition("?")
    if not service:
        raise InvalidTargetError(text, path_at, "expected the name of a service")
    _check_characters(text, _SERVICE, service, path_at, "a service's name")
    return Target(scheme, authority, service, _tag(text, query, len(text) - len(query)), ())


def _tag(text: str, query: str, query_at: int) -> str | None:
    if not query:
        return None
    name, _, tag = query.partition("=")
    if name != "tag":
        raise InvalidTargetError(text, query_at, "the only parameter is 'tag'")
    if not tag:
        raise InvalidTargetError(text, len(text), "expected a tag")
    _check_characters(text, _TAG, tag, len(text) - len(tag), "a tag")
    return tag


def _listed(text: str, scheme: str, authority: str, path: str, path_at: int) -> Target:
    """Parse addresses without a registry: `///host:port[,host:port...]`."""
    if authority:
        place = path_at - 1 - len(authority)
        raise InvalidTargetError(text, place, f"{scheme}:/// takes no authority, write three '/'")
    addresses = path.split(",") if scheme == "static" else [path]
    place = path_at
    for index, address in enumerate(addresses):
        _check_address(text, address, place)
        if address in addresses[:index]:
            raise InvalidTargetError(text, place, f"{address} is listed twice")
        place += len(address) + 1
    return Target(scheme, "", addresses[0], None, tuple(addresses))


def _asked_at(text: str, authority: str, path: str, path_at: int) -> Target:
    """Parse a name that one DNS server is asked for: `//server:port/name[:port]`."""
    _check_address(text, authority, path_at - 1 - len(authority))
    if ":" in path:
        _check_address(text, path, path_at)
    elif not path:
        raise InvalidTargetError(text, path_at, "expected a name")
    else:
        _check_characters(text, _SERVICE, path, path_at, "a name")
    return Target("dns", authority, path, None, (path,))


def _check_characters(
    text: str, allowed: re.Pattern[str], part: str, place: int, what: str
) -> None:
    matched = allowed.match(part)
    good = matched.end() if matched else 0
    if good < len(part):
        raise InvalidTargetError(text, place + good, f"{part[good]!r} can't stand in {what}")


def _check_address(text: str, address: str, place: int) -> None:
    matched = _HOST_AND_PORT.fullmatch(address)
    if matched is None:
        raise InvalidTargetError(text, place, f"expected host:port, found {address!r}")
    if not 1 <= int(matched["port"]) <= _LAST_PORT:
        port_at = place + matched.start("port")
        raise InvalidTargetError(text, port_at, f"a port is a number from 1 to {_LAST_PORT}")
