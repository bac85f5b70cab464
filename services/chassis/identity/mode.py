"""Whether a process runs open or secure, and whether it may.

Secure: callers need a certificate, and people a token. Open: nobody is known and everything is
allowed, so it is meant for one machine.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from services.chassis.environment import SettingError
from services.chassis.identity.settings import TlsSettings, TokenSettings


def is_secure(tls: TlsSettings, tokens: TokenSettings, addresses: Mapping[str, str]) -> bool:
    """Return whether the settings are those of the secure mode.

    `addresses` are the hosts of the server by the variable that sets each. Raises SettingError for
    half of a secure configuration, for keys that are read from another machine without TLS, and for
    the open mode on an address that other machines reach.
    """
    if tls.tls != "none" and not tokens.jwks_url:
        raise SettingError(
            "TRADEPOST_JWKS_URL",
            f"must be set, because TRADEPOST_TLS is {tls.tls}: without it, people can't be told"
            " apart",
        )
    if tls.tls == "none" and tokens.jwks_url:
        raise SettingError(
            "TRADEPOST_TLS",
            "must be files or consul, because TRADEPOST_JWKS_URL is set: without TLS, others could"
            " read and use the tokens",
        )
    if tls.tls == "none" and not tls.insecure:
        for variable, host in addresses.items():
            _check_loopback(variable, host)
    if not tls.insecure:
        _check_keys(tokens.jwks_url)
    return tls.tls != "none"


def _check_loopback(variable: str, host: str) -> None:
    if not is_loopback(host):
        raise SettingError(
            variable,
            f"{host!r} is reached from other machines, and without TLS everybody there may do"
            " everything: set TRADEPOST_TLS and TRADEPOST_JWKS_URL, or TRADEPOST_INSECURE=yes if"
            " the network keeps others away",
        )


def _check_keys(jwks_url: str) -> None:
    scheme, host = urlsplit(jwks_url).scheme, urlsplit(jwks_url).hostname or ""
    if scheme == "http" and not is_loopback(host):
        raise SettingError(
            "TRADEPOST_JWKS_URL",
            f"must be https://, because keys from {host} could be exchanged on their way, or"
            " TRADEPOST_INSECURE=yes if the network keeps others away",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the host; any name but localhost may lead elsewhere."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
