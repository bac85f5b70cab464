"""What an answer must never tell of the inside: code, tables, files, programs."""

import re
from typing import Any

import grpc

from discovery.error_info import DETAILS_KEY
from scripts.tools.paths import ROOT
from tests.support.chassis.rich_status import Refusal

_INSIDE = re.compile(
    r"Traceback|\bFile \"|\.py\b|\b\w+(Error|Exception|Warning)\b|\bservices\.|\bdiscovery\."
    r"|sqlite|sqlalchemy|psycopg|(?-i:\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE)\b)|constraint"
    rf"|0x[0-9a-f]{{6}}|<[a-z]\w+ |/home/|/tmp/|/dev/shm/|{re.escape(str(ROOT))}",
    re.IGNORECASE,
)


def leaks(refusal: Refusal) -> list[str]:
    """Every text of a refused call that tells of the inside."""
    texts = [
        refusal.message,
        *refusal.facts.values(),
        *refusal.bad_fields.values(),
        *(text for violation in refusal.preconditions for text in violation),
        *(_text(value) for key, value in refusal.trailers.items() if key != DETAILS_KEY),
    ]
    return [text for text in texts if _INSIDE.search(text)]


def is_ours(refusal: Refusal, service: str) -> bool:
    """Whether a refusal carries exactly one reason, of the service that was asked."""
    return (refusal.infos, refusal.domain) == (1, f"{service}.tradepost") and bool(refusal.reason)


def is_bug(refusal: Refusal) -> bool:
    """Whether the server failed, where it should have refused."""
    return refusal.code in {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
