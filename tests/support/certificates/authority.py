"""The development certificate authority, and its certificates in files."""

from pathlib import Path

from discovery.tls.certificates import Certificates
from scripts.suite.secure.certificate_authority import Authority

__all__ = ["Authority", "write"]


def write(certificates: Certificates, folder: Path) -> dict[str, str]:
    """Write the three files; return the environment variables that name them."""
    files = {
        "TRADEPOST_TLS_CERTIFICATE_FILE": (folder / "tls.crt", certificates.chain),
        "TRADEPOST_TLS_KEY_FILE": (folder / "tls.key", certificates.key),
        "TRADEPOST_TLS_ROOTS_FILE": (folder / "ca.crt", certificates.roots),
    }
    for file, content in files.values():
        file.write_bytes(content)
    return {variable: str(file) for variable, (file, _) in files.items()}
