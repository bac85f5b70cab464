"""Settings of identity: the process's certificates, and whose tokens it believes.

Each field is an environment variable; an empty one counts as unset.
"""

from typing import Annotated, Literal, Self, TypeAlias
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field, FilePath, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def _checked_url(url: str) -> str:
    """A URL that may lead to a document; "" is none."""
    parts = urlsplit(url)
    is_file = parts.scheme == "file"
    # Reading the port checks it.
    if url and not is_file and (not parts.hostname or parts.port == 0):
        raise ValueError("must name a host, such as https://issuer.example/jwks.json")
    if is_file and "\0" in unquote(parts.path):
        raise ValueError("must name a file, such as file:///etc/tradepost/jwks.json")
    return url


_KeysUrl: TypeAlias = Annotated[
    str, Field(pattern=r"^$|^(file:///|https?://)"), AfterValidator(_checked_url)
]


# What a token must say word for word; a blank or a line end in it would refuse every token.
_Claim: TypeAlias = Annotated[str, Field(pattern=r"^\S*$")]


class TlsSettings(BaseSettings):
    """Where the certificates come from, and whether a process may do without.

    - `none`: no TLS.
    - `files`: certificate with its intermediates, key and roots from PEM files, which are read
      again when they change.
    - `consul`: from the Connect CA of the Consul agent, whose intentions decide who may call.
    """

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_", frozen=True, env_ignore_empty=True)

    tls: Literal["none", "files", "consul"] = "none"
    tls_certificate_file: FilePath | None = None
    tls_key_file: FilePath | None = None
    tls_roots_file: FilePath | None = None
    # Allows calls of anybody also from other machines.
    insecure: bool = False

    @model_validator(mode="after")
    def _files_fit(self) -> Self:
        files = {
            "TRADEPOST_TLS_CERTIFICATE_FILE": self.tls_certificate_file,
            "TRADEPOST_TLS_KEY_FILE": self.tls_key_file,
            "TRADEPOST_TLS_ROOTS_FILE": self.tls_roots_file,
        }
        for variable, file in files.items():
            if self.tls == "files" and file is None:
                raise ValueError(f"{variable}: must be set, because TRADEPOST_TLS is files")
            if self.tls != "files" and file is not None:
                raise ValueError(
                    f"TRADEPOST_TLS: is {self.tls}, but {variable} is set: set it to files, or"
                    " unset the variable"
                )
        return self


class TokenSettings(BaseSettings):
    """Whose tokens prove who a person is: keys, issuer and audience go together."""

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_", frozen=True, env_ignore_empty=True)

    jwks_url: _KeysUrl = ""
    token_issuer: _Claim = ""
    token_audience: _Claim = ""

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        values = {
            "TRADEPOST_JWKS_URL": self.jwks_url,
            "TRADEPOST_TOKEN_ISSUER": self.token_issuer,
            "TRADEPOST_TOKEN_AUDIENCE": self.token_audience,
        }
        present = [variable for variable, value in values.items() if value]
        for variable, value in values.items():
            if present and not value:
                raise ValueError(f"{variable}: must be set, because {present[0]} is")
        return self
