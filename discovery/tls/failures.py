"""Says in plain words why a server can't be connected to by TLS, before gRPC's own words."""

# Parts of gRPC's words, and what they mean for whoever reads them.
_MEANINGS = (
    ("Hostname Verification Check failed", "its certificate doesn't name the service asked for"),
    ("unable to get local issuer", "its certificate isn't signed by an authority of ours"),
    ("WRONG_VERSION_NUMBER", "it doesn't speak TLS"),
)

# A server that speaks TLS ends a connection without it, and one without the certificate that it
# demands, and tells the reason to neither. Others may end a connection for reasons of their own.
CLOSED = "it closed the connection before it answered; does it want TLS, or another certificate?"
_NOT_CONNECTED = "failed to connect"
_ENDED = ("Socket closed", "Connection reset", "Broken pipe")


def in_words(details: str) -> str:
    """Return gRPC's details of a failed connection, with their meaning where it is known."""
    for part, meaning in _MEANINGS:
        if part in details:
            return f"{meaning} ({details})"
    if _NOT_CONNECTED in details and any(part in details for part in _ENDED):
        return f"{CLOSED} ({details})"
    return details
