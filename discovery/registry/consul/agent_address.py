"""Where a Consul agent is and how to connect to it, read as Consul's own tools read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

# The texts that Consul's own tools take (Go's strconv.ParseBool).
_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
# Variables of Consul's own tools that change which agent is asked, or how, but aren't read here.
_NOT_READ = ("CONSUL_CAPATH", "CONSUL_TLS_SERVER_NAME")


@dataclass(frozen=True, slots=True)
class AgentAddress:
    """Where an agent listens, and how to connect to it; an IPv6 `host` has brackets.

    - `ca_file`, `cert_file`, `key_file`: PEM files for TLS, read for each new connection pool.
      `verify`: check the agent's certificate.
    - `http_auth`: "user:password" for a proxy in front of the agent.
    - `namespace`, `partition`: of Consul Enterprise; sent with every request.
    """

    host: str = "127.0.0.1"
    port: int = 8500
    tls: bool = False
    token: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verify: bool = True
    http_auth: str | None = field(default=None, repr=False)
    namespace: str | None = None
    partition: str | None = None

    @classmethod
    def parse(cls, text: str, *, token: str | None, ca_file: str | None, tls: bool = False) -> Self:
        """Parse `[http://|https://]host[:port]`; with `tls` it is https in any case.

        Raises ValueError for anything else, including the address of a Unix socket.
        """
        scheme, separator, _ = text.partition("://")
        parts = urlsplit(text if separator else f"//{text}")
        known = parts.scheme in ("", "http", "https") and parts.hostname
        if not known or parts.path not in ("", "/") or parts.query or "@" in parts.netloc:
            # A password is left out: the text of an error ends up in logs.
            shown = text.rpartition("@")[2].partition("?")[0]
            raise ValueError(
                f"the address of a Consul agent is [http://|https://]host:port, not {shown!r}"
                + (" with a user: set CONSUL_HTTP_AUTH" if "@" in text else "")
            )
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        return cls(
            host=host,
            port=parts.port or 8500,
            tls=tls or scheme == "https",
            token=token,
            ca_file=ca_file,
        )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, authority: str = "") -> Self:
        """Read the variables of Consul's own tools; `authority` replaces CONSUL_HTTP_ADDR.

        CONSUL_HTTP_ADDR, CONSUL_HTTP_TOKEN_FILE (which comes before CONSUL_HTTP_TOKEN, and is read
        once), CONSUL_HTTP_AUTH, CONSUL_HTTP_SSL, CONSUL_HTTP_SSL_VERIFY, CONSUL_CACERT,
        CONSUL_CLIENT_CERT with CONSUL_CLIENT_KEY, CONSUL_NAMESPACE and CONSUL_PARTITION. An empty
        variable counts as unset. Raises ValueError, which names the variable, for a value that
        can't be used, and for a variable of those tools that isn't read here.
        """
        for name in _NOT_READ:
            if environ.get(name):
                raise ValueError(f"{name} isn't supported here; unset it")
        address = cls.parse(
            authority or environ.get("CONSUL_HTTP_ADDR", "") or "127.0.0.1:8500",
            token=_token(environ),
            ca_file=environ.get("CONSUL_CACERT") or None,
            tls=_boolean(environ, "CONSUL_HTTP_SSL", default=False),
        )
        certificate = environ.get("CONSUL_CLIENT_CERT") or None
        key = environ.get("CONSUL_CLIENT_KEY") or None
        if bool(certificate) is not bool(key):
            raise ValueError("CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY go together")
        return replace(
            address,
            cert_file=certificate,
            key_file=key,
            verify=_boolean(environ, "CONSUL_HTTP_SSL_VERIFY", default=True),
            http_auth=environ.get("CONSUL_HTTP_AUTH") or None,
            namespace=environ.get("CONSUL_NAMESPACE") or None,
            partition=environ.get("CONSUL_PARTITION") or None,
        )

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"


def _token(environ: Mapping[str, str]) -> str | None:
    """The ACL token. Raises ValueError if its file can't be read."""
    token = environ.get("CONSUL_HTTP_TOKEN") or None
    file = environ.get("CONSUL_HTTP_TOKEN_FILE")
    if not file:
        return token
    try:
        return Path(file).read_text(encoding="utf-8").strip() or token
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"CONSUL_HTTP_TOKEN_FILE can't be read: {error}") from error


def _boolean(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    """A boolean as Go writes it. Raises ValueError."""
    text = environ.get(name)
    if not text:
        return default
    if text not in _BOOLEANS:
        raise ValueError(f"{name} is true or false, not {text!r}")
    return _BOOLEANS[text]
