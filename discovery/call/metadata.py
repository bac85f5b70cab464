"""Metadata is checked before a call leaves.

grpc.aio hands what it can't carry down to C-core, and the call then never ends: `code()` hangs.
"""

import re
from collections.abc import Iterable

from discovery.errors import InvalidMetadataError

Metadatum = tuple[str, str | bytes]
# grpc.aio.Metadata iterates over pairs.
MetadataLike = Iterable[Metadatum]

# The gRPC wire format's Header-Name and ASCII-Value (PROTOCOL-HTTP2.md); "grpc-" is reserved
# there too, but existing programs send such keys and C-core lets them.
_KEY = re.compile(r"[0-9a-z_.-]+")
_TEXT = re.compile(r"[\x20-\x7e]*")
_BINARY_SUFFIX = "-bin"
_PAIR = 2


def validated(metadata: MetadataLike) -> tuple[Metadatum, ...]:
    """The metadata as pairs, in order. Raises InvalidMetadataError; the caller's is not changed.

    A key is lower-case ASCII; the value of a key that ends in "-bin" is bytes, any other value is
    printable ASCII text (or the bytes of such).
    """
    return tuple(_valid(metadatum) for metadatum in metadata)


def _valid(metadatum: Metadatum) -> Metadatum:
    if not isinstance(metadatum, tuple | list) or len(metadatum) != _PAIR:
        raise InvalidMetadataError(metadatum, "expected a pair of key and value")
    key, value = metadatum
    if not isinstance(key, str):
        raise InvalidMetadataError(key, "a key is text")
    if not _KEY.fullmatch(key):
        raise InvalidMetadataError(key, "a key is made of a-z, 0-9, '_', '.' and '-'")
    if key.endswith(_BINARY_SUFFIX):
        if not isinstance(value, bytes):
            raise InvalidMetadataError(key, "the value of a '-bin' key is bytes")
        return key, value
    if isinstance(value, bytes):
        text = value.decode("latin-1")
    elif isinstance(value, str):
        text = value
    else:
        raise InvalidMetadataError(key, f"a value is text or bytes, not {type(value).__name__}")
    if not _TEXT.fullmatch(text):
        raise InvalidMetadataError(key, "a value is printable ASCII unless the key ends in '-bin'")
    return key, value
