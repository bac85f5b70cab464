"""Certificates from files, as cert-manager, SPIRE's helper or an operator writes them."""

import logging
from pathlib import Path

from discovery.clock import Clock
from discovery.errors import InvalidCertificatesError
from discovery.tls import x509
from discovery.tls.certificates import Certificates
from discovery.tls.spiffe import SERVICE, SpiffeIds

logger = logging.getLogger(__name__)

_READ_EVERY_S = 1.0


class FileCertificates:
    """Reads a certificate with its intermediates, its key and the roots, each a PEM file.

    - `server_names`: the name that a server's certificate must carry as a DNS name (or as its
      common name, if it has no DNS name), with `{service}` in the service's place.
    - `spiffe_ids`: the SPIFFE ids of the services, such as
      `spiffe://shop.example/ns/default/sa/{service}`; by default those that differ from the
      process's own id in the last part only. Without an id of its own it recognizes no service.

    gRPC for Python checks a server by its DNS names or its common name alone. A certificate with
    nothing but a SPIFFE id can't be a server's: have its issuer add the name (SPIRE: `-dns order`).

    The files are read again every second while somebody waits in `changed`. Certificate and key
    count together: while they don't match, because only one of them was written yet, the pair that
    was read before stays, and so it does while the new one has another SPIFFE id. Raises
    InvalidCertificatesError if the files can't be used at first.
    """

    def __init__(
        self,
        *,
        certificate_file: str | Path,
        key_file: str | Path,
        roots_file: str | Path,
        clock: Clock,
        server_names: str = SERVICE,
        spiffe_ids: str | None = None,
    ) -> None:
        if SERVICE not in server_names:
            raise InvalidCertificatesError(
                f"a pattern of server names contains {SERVICE}, unlike {server_names!r}"
            )
        self._files = (Path(certificate_file), Path(key_file), Path(roots_file))
        self._clock = clock
        self._server_names = server_names
        self._problem = ""
        self._current = Certificates(chain=b"", key=b"", roots=b"")
        self._own_id = ""
        self._current = self._read()
        self._own_id = own_id = x509.spiffe_id(self._current.chain)
        pattern = None if spiffe_ids is None else SpiffeIds(spiffe_ids)
        self._spiffe_ids = SpiffeIds.beside(own_id) if pattern is None and own_id else pattern

    @property
    def current(self) -> Certificates:
        return self._current

    async def changed(self, known: Certificates) -> Certificates:
        while self._reread() == known:
            await self._clock.sleep(_READ_EVERY_S)
        return self._current

    def server_name(self, service: str) -> str:
        return self._server_names.replace(SERVICE, service)

    def service_of(self, spiffe_id: str) -> str:
        return "" if self._spiffe_ids is None else self._spiffe_ids.service_of(spiffe_id)

    def _reread(self) -> Certificates:
        """Read the files again; keep what is known if they can't be used, and log why once."""
        try:
            read = self._read()
        except InvalidCertificatesError as error:
            if self._problem != str(error):
                logger.warning("%s; the certificates that were read before stay", error)
            self._problem = str(error)
            return self._current
        if read != self._current:
            logger.info("new certificates were read from %s", self._files[0])
        self._problem = ""
        self._current = read
        return read

    def _read(self) -> Certificates:
        """Read and check the files. Raises InvalidCertificatesError."""
        try:
            chain, key, roots = (file.read_bytes() for file in self._files)
        except OSError as error:
            raise InvalidCertificatesError(f"{error.filename}: {error.strerror}") from None
        read = Certificates(chain=chain, key=key, roots=roots)
        if read != self._current:
            try:
                x509.check(read)
                self._check_id(read)
            except InvalidCertificatesError as error:
                names = ", ".join(map(str, self._files))
                raise InvalidCertificatesError(f"{names}: {error}") from None
        return read

    def _check_id(self, read: Certificates) -> None:
        """Refuse the certificate of another service: nobody would believe it from now on."""
        new_id = x509.spiffe_id(read.chain)
        if self._own_id and new_id != self._own_id:
            raise InvalidCertificatesError(f"its SPIFFE id is {new_id!r}, not {self._own_id!r}")
