"""The secrets of a secure suite, each in a file of its own, and the settings that name them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from tradepost.policy.v1.policy_pb2 import Role

from discovery.clock import Clock
from discovery.tls.certificates import Certificates
from scripts.suite.consul import ConsulAgent
from scripts.suite.issuer import AUDIENCE, ISSUER, Issuer
from scripts.suite.secure.call_graph import (
    EDGE,
    OPERATOR,
    WEB_APPLICATIONS,
    allowed_calls,
)
from scripts.suite.secure.certificate_authority import Authority
from scripts.suite.secure.consul_setup import set_up
from scripts.suite.secure.private_files import private_folder, write_private

# Below the folder of a run.
FOLDER = "secrets"
ISSUER_KEYS = "issuer.json"

_JWKS = "jwks.json"
_TRUST_DOMAIN = "tradepost.test"
_VALID = timedelta(days=30)
# Where callers reach the edge; its certificate for them is of an authority of its own.
PUBLIC_NAME = "localhost"
_ROLE = "ROLE_"


class Tls(StrEnum):
    """Where the certificates of a secure suite come from: the value of TRADEPOST_TLS."""

    CONSUL = "consul"
    FILES = "files"


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """The files with the certificate of a service, its key and the roots, in PEM."""

    certificate: Path
    key: Path
    roots: Path


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the programs of a secure suite show each other; `folder` is closed to other users.

    `authority` signs certificates in files; its key is never written.
    """

    folder: Path
    tls: Tls
    issuer: Issuer
    authority: Authority

    @classmethod
    def create(
        cls, folder: Path, tls: Tls, agent: ConsulAgent, services: Collection[str], *, clock: Clock
    ) -> "Credentials":
        """Set up a new agent, and write the tokens of all and the keys of a new issuer.

        Raises StartError.
        """
        tokens = set_up(agent, services, allowed_calls(services))
        authority = Authority(_TRUST_DOMAIN, valid=_VALID, clock=clock)
        made = cls(private_folder(folder.absolute()), tls, Issuer(clock=clock), authority)
        for holder, token in tokens.items():
            write_private(made.consul_token_file(holder), token.encode())
        if tls is Tls.FILES:
            made.issue((*services, *WEB_APPLICATIONS, EDGE, OPERATOR))
        made.write_public_certificate(Authority(PUBLIC_NAME, valid=_VALID, clock=clock))
        made.issuer.save(made.folder / ISSUER_KEYS)
        made.issuer.write_jwks(made.folder / _JWKS)
        return made

    def issue(self, holders: Iterable[str]) -> None:
        """Write a new certificate for each holder."""
        for holder in holders:
            self.write_certificates(holder, self.authority.issue(holder, not_after=_VALID))

    def write_public_certificate(self, authority: Authority) -> None:
        """Write what the edge shows to callers; it names no service, so it opens nothing inside."""
        issued = authority.issue(PUBLIC_NAME, spiffe_id="", not_after=_VALID)
        _write(self.public_files, issued)

    def write_certificates(self, holder: str, certificates: Certificates) -> None:
        """Write what a holder needs for mutual TLS."""
        _write(self.certificate_files(holder), certificates)

    def consul_token_file(self, holder: str) -> Path:
        """The file with the Consul token of a service, or of another holder."""
        return self.folder / f"{holder}.consul-token"

    def consul_token(self, holder: str) -> str:
        """The Consul token of a holder."""
        return self.consul_token_file(holder).read_text()

    def certificate_files(self, holder: str) -> CertificateFiles:
        """Where the certificate of a service is, or of another holder."""
        return CertificateFiles(
            self.folder / f"{holder}.crt", self.folder / f"{holder}.key", self.folder / "ca.crt"
        )

    @property
    def public_files(self) -> CertificateFiles:
        """Where the certificate is that callers of the edge are shown, and its authority."""
        names = ("public.crt", "public.key", "public-ca.crt")
        return CertificateFiles(*(self.folder / name for name in names))

    def edge_settings(self) -> Mapping[str, str]:
        """The environment variables that make the edge secure on both sides."""
        return {
            **self.settings(EDGE),
            "TRADEPOST_EDGE_CERTIFICATE_FILE": str(self.public_files.certificate),
            "TRADEPOST_EDGE_KEY_FILE": str(self.public_files.key),
        }

    def settings(self, service: str) -> Mapping[str, str]:
        """The environment variables that make an instance of a service secure."""
        return {
            "CONSUL_HTTP_TOKEN_FILE": str(self.consul_token_file(service)),
            "TRADEPOST_TLS": self.tls,
            **(self._file_settings(service) if self.tls is Tls.FILES else {}),
            "TRADEPOST_JWKS_URL": (self.folder / _JWKS).as_uri(),
            "TRADEPOST_TOKEN_ISSUER": ISSUER,
            "TRADEPOST_TOKEN_AUDIENCE": AUDIENCE,
        }

    def _file_settings(self, service: str) -> Mapping[str, str]:
        files = self.certificate_files(service)
        return {
            "TRADEPOST_TLS_CERTIFICATE_FILE": str(files.certificate),
            "TRADEPOST_TLS_KEY_FILE": str(files.key),
            "TRADEPOST_TLS_ROOTS_FILE": str(files.roots),
        }


def _write(files: CertificateFiles, certificates: Certificates) -> None:
    write_private(files.certificate, certificates.chain)
    write_private(files.key, certificates.key)
    write_private(files.roots, certificates.roots)


def roles() -> tuple[str, ...]:
    """The roles of people, as the contracts name them, without the prefix."""
    return tuple(name.removeprefix(_ROLE) for name, number in Role.items() if number)
