"""Finds texts in a refusal that reveal internals: code, tables, files, programs."""

import re
from typing import Any

import grpc

from discovery.error_info import DETAILS_KEY
from scripts.tools.paths import ROOT
from tests.support.chassis.rich_status import Refusal

_INTERNALS = re.compile(
    r"Traceback|\bFile \"|\.py\b|\b\w+(Error|Exception|Warning)\b|\bservices\.|\bdiscovery\."
    r"|sqlite|sqlalchemy|psycopg|(?-i:\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE)\b)|constraint"
    rf"|0x[0-9a-f]{{6}}|<[a-z]\w+ |/home/|/tmp/|/dev/shm/|{re.escape(str(ROOT))}",
    re.IGNORECASE,
)


def leaked_internals(refusal: Refusal) -> list[str]:
    """Return every text of a refusal that reveals internals."""
    texts = [
        refusal.message,
        *refusal.facts.values(),
        *refusal.bad_fields.values(),
        *(text for violation in refusal.preconditions for text in violation),
        *(_text(value) for key, value in refusal.trailers.items() if key != DETAILS_KEY),
    ]
    return [text for text in texts if _INTERNALS.search(text)]


def has_one_reason(refusal: Refusal, service: str) -> bool:
    """Whether a refusal carries exactly one reason, of the called service."""
    return (refusal.infos, refusal.domain) == (1, f"{service}.tradepost") and bool(refusal.reason)


def is_server_fault(refusal: Refusal) -> bool:
    """Whether the refusal reports a fault of the server instead of the request."""
    return refusal.code in {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
