"""Says in plain words why TLS refused a server, before gRPC's own words."""

# Parts of gRPC's words, and what they mean for whoever reads them.
_MEANINGS = (
    ("Hostname Verification Check failed", "its certificate doesn't name the service asked for"),
    ("unable to get local issuer", "its certificate isn't signed by an authority of ours"),
    ("WRONG_VERSION_NUMBER", "it doesn't speak TLS"),
)


def in_words(details: str) -> str:
    """Return gRPC's details of a failed connection, with their meaning where it is known."""
    for part, meaning in _MEANINGS:
        if part in details:
            return f"{meaning} ({details})"
    return details
