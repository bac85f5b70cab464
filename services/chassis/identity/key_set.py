"""Reads the issuer's public keys: a JSON Web Key Set (RFC 7517) in a file or behind a URL."""

import asyncio
import json
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

import aiohttp
import jwt

ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})
FETCH_TIMEOUT_S = 5.0
MAX_BYTES = 256 * 1024

# The keys by their ids.
KeySet: TypeAlias = Mapping[str, jwt.PyJWK]


class KeysNotReadError(Exception):
    """The document can't be read now, or holds no key that could verify a token."""


async def fetch(url: str) -> bytes:
    """Read the document at `file:///path` or `http(s)://host/path`. Raises KeysNotReadError."""
    try:
        scheme, _, path, _, _ = urlsplit(url)
        if scheme == "file":
            return await asyncio.to_thread(_read_file, Path(unquote(path)))
        return await _get(url)
    except TimeoutError:
        raise KeysNotReadError(f"no answer in {FETCH_TIMEOUT_S:.0f} s") from None
    except aiohttp.InvalidURL:
        # Its text is the URL, which may hold a password.
        raise KeysNotReadError("the URL is none that a host can have") from None
    # A ValueError is about a URL, or a name in it, that no host or file can have.
    except (OSError, ValueError, aiohttp.ClientError) as error:
        raise KeysNotReadError(str(error) or type(error).__name__) from error


def parse(document: bytes) -> KeySet:
    """Return the keys that can verify tokens, by their ids. Raises KeysNotReadError."""
    return MappingProxyType({each["kid"]: jwt.PyJWK(each) for each in usable_members(document)})


def usable_members(document: bytes) -> list[dict[str, Any]]:
    """Return the members of the set whose keys sign with one of `ALGORITHMS`; at least one.

    Keys of other kinds, without an id, unreadable or too short to be safe are left out. A set with
    a private key is refused: whoever can read it could sign tokens. Raises KeysNotReadError.
    """
    try:
        members = json.loads(document)["keys"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise KeysNotReadError("it is no JSON Web Key Set") from None
    if not isinstance(members, list):
        raise KeysNotReadError("it is no JSON Web Key Set")
    keys = [each for each in members if isinstance(each, dict)]
    if any("d" in key for key in keys):
        raise KeysNotReadError("it holds a private key: publish public keys only, and replace it")
    usable = [key for key in keys if _is_usable(key)]
    if not usable:
        raise KeysNotReadError(f"it has no key for {', '.join(sorted(ALGORITHMS))} with an id")
    return usable


def _is_usable(member: dict[str, Any]) -> bool:
    key_id = member.get("kid")
    try:
        key = jwt.PyJWK(member)
    # The library lets through what it finds instead of a text.
    except (TypeError, ValueError, jwt.PyJWTError):
        return False
    return (
        isinstance(key_id, str)
        and key_id != ""
        and key.algorithm_name in ALGORITHMS
        and key.public_key_use in (None, "sig")
        and key.Algorithm.check_key_length(key.key) is None
    )


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return _bounded(file.read(MAX_BYTES + 1))


async def _get(url: str) -> bytes:
    async with (
        # Not a timeout of aiohttp, which may swallow a cancellation (aiohttp 3.14).
        asyncio.timeout(FETCH_TIMEOUT_S),
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
        # A redirect could lead from https to http.
        session.get(url, allow_redirects=False) as response,
    ):
        if response.status != HTTPStatus.OK:
            raise KeysNotReadError(f"the answer was {response.status}")
        document = bytearray()
        async for part in response.content.iter_any():
            document += part
            _bounded(document)
        return bytes(document)


def _bounded(document: bytes | bytearray) -> bytes:
    if len(document) > MAX_BYTES:
        raise KeysNotReadError(f"it has more than {MAX_BYTES} bytes")
    return bytes(document)
