"""Validates metadata before a call is sent.

grpc.aio passes on to C-core what C-core can't carry, and the call then never ends: `code()` hangs.
"""

import re
from collections.abc import Iterable
from typing import Any

from discovery.errors import InvalidMetadataError

Metadatum = tuple[str, str | bytes]
# Includes grpc.aio.Metadata, which iterates over pairs.
MetadataLike = Iterable[Metadatum]

# Header-Name and ASCII-Value of the gRPC wire format (PROTOCOL-HTTP2.md). It reserves "grpc-" as
# well, but existing programs send such keys and C-core accepts them.
_KEY = re.compile(r"[0-9a-z_.-]+")
_TEXT = re.compile(r"[\x20-\x7e]*")
_BINARY_SUFFIX = "-bin"
_PAIR = 2


def validated(metadata: MetadataLike) -> tuple[Metadatum, ...]:
    """Return the metadata as pairs, in order, and leave the caller's object unchanged.

    A key is lower-case ASCII. The value of a key that ends in "-bin" is bytes; any other value is
    printable ASCII, as text or bytes. Raises InvalidMetadataError.
    """
    return tuple(_valid(metadatum) for metadatum in metadata)


def _valid(metadatum: Metadatum) -> Metadatum:
    if not isinstance(metadatum, tuple | list) or len(metadatum) != _PAIR:
        raise InvalidMetadataError(metadatum, "expected a pair of key and value")
    pair: Any = metadatum
    key, value = pair
    if isinstance(key, bytes):
        # gRPC takes such keys, although its types don't say so.
        key = key.decode("latin-1")
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
