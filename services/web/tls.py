"""Serves with the certificates of the secure mode, which are renewed while connections come.

Callers show none: behind the edge are browsers, and a person is known by their session or token.
"""

import asyncio
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from discovery.tls.certificates import Certificates, CertificateSource


def server_context(
    source: CertificateSource,
) -> tuple[ssl.SSLContext, Callable[[], Awaitable[None]]]:
    """Return a context with the newest certificate, and the task that keeps it the newest."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    known = source.current
    _load(context, known)
    return context, partial(_keep_newest, context, source, known)


async def _keep_newest(
    context: ssl.SSLContext, source: CertificateSource, known: Certificates
) -> None:
    """Load each new certificate, until cancelled; connections that come later use it."""
    while True:
        known = await source.changed(known)
        await asyncio.to_thread(_load, context, known)


def _load(context: ssl.SSLContext, certificates: Certificates) -> None:
    """Load a certificate; the library reads it from a file, which only this user can read."""
    with tempfile.TemporaryDirectory(prefix="tradepost-web-") as folder:
        file = Path(folder) / "certificate.pem"
        file.write_bytes(certificates.key + b"\n" + certificates.chain)
        context.load_cert_chain(file)
