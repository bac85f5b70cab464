"""Asks one DNS server, such as a Consul agent: targets of the form `dns://host:port/name`.

Needs the package dnspython, which is imported on first use: `pip install tradepost[dns]`.
"""

import importlib.util
import ipaddress
from typing import TYPE_CHECKING

from discovery.registry.addresses import split_address

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

_TIMEOUT_S = 5.0


class NameServer:
    """Finds the addresses of a name, as `DnsWatcher` wants them, at one server.

    It is asked over TCP: over UDP a Consul agent names three instances at most, at random, and
    doesn't say that there are more.
    """

    def __init__(self, address: str) -> None:
        """`address` is `IP address:port`. Raises ValueError, also without dnspython."""
        host, self._port = split_address(address)
        try:
            self._host = str(ipaddress.ip_address(host))
        except ValueError:
            raise ValueError(f"a DNS server must be an IP address, not {host}") from None
        if importlib.util.find_spec("dns") is None:
            raise ValueError("dns://server/name needs dnspython: pip install tradepost[dns]")

    async def __call__(self, host: str, port: int) -> list[tuple[str, int]]:
        """Every address of the name with the port; with port 0, those of its SRV records.

        Raises OSError.
        """
        from dns.exception import DNSException  # noqa: PLC0415

        resolver = self._resolver()
        try:
            if port:
                return [(address, port) for address in await _addresses(resolver, host)]
            return await _served(resolver, host)
        except DNSException as error:
            raise OSError(f"{self._host}:{self._port} answers: {error}") from error

    def _resolver(self) -> "Resolver":
        from dns.asyncresolver import Resolver  # noqa: PLC0415

        resolver = Resolver(configure=False)
        resolver.nameservers = [self._host]
        resolver.port = self._port
        return resolver


async def _addresses(resolver: "Resolver", name: str) -> list[str]:
    answer = await resolver.resolve(name, "A", tcp=True, search=False, lifetime=_TIMEOUT_S)
    return [record.address for record in answer]


async def _served(resolver: "Resolver", name: str) -> list[tuple[str, int]]:
    """Addresses and ports of the SRV records of the lowest priority; weights are not used.

    A server that knows the addresses of the records' targets sends them along.
    """
    answer = await resolver.resolve(name, "SRV", tcp=True, search=False, lifetime=_TIMEOUT_S)
    known = {
        records.name: [record.address for record in records if hasattr(record, "address")]
        for records in answer.response.additional
    }
    first = min(record.priority for record in answer)
    found = []
    for record in answer:
        if record.priority == first:
            at = known.get(record.target) or await _addresses(resolver, str(record.target))
            found += [(address, record.port) for address in at]
    return found
