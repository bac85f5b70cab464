"""Scripts and styles, read once, each under an address that changes with its content."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

OWN_FILES = Path(__file__).with_name("static")
# What is served; mimetypes would answer as the machine's own tables do.
_MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
)
_HASH_CHARACTERS = 16
_A_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """The content of a file; `version` is a part of its hash."""

    content: bytes
    media_type: str
    version: str


class StaticFiles:
    """The files of some folders by their path below the folder; a later folder's wins."""

    def __init__(self, folders: Sequence[Path], *, prefix: str) -> None:
        self._prefix = f"{prefix}/static"
        self._files: Mapping[str, StaticFile] = {
            str(path.relative_to(folder)): _read(path)
            for folder in folders
            for path in sorted(folder.rglob("*"))
            if path.suffix in _MEDIA_TYPES
        }

    @property
    def route(self) -> Route:
        """Where they are served."""
        return Route(f"{self._prefix}/{{name:path}}", self.respond, methods=["GET"])

    def address(self, name: str) -> str:
        """Return the address of a file, such as `/shop/static/base.css?v=0a1b...`."""
        return f"{self._prefix}/{name}?v={self._files[name].version}"

    async def respond(self, request: Request) -> Response:
        """Answer with a file; only the address of this very content may be kept."""
        file = self._files.get(request.path_params["name"])
        if file is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        is_exact = request.query_params.get("v") == file.version
        headers = {"Cache-Control": _A_YEAR if is_exact else "no-cache"}
        return Response(file.content, media_type=file.media_type, headers=headers)


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    version = hashlib.sha256(content).hexdigest()[:_HASH_CHARACTERS]
    return StaticFile(content, _MEDIA_TYPES[path.suffix], version)
