"""The errors that the edge itself answers with: one line each.

fix the request     MALFORMED_REQUEST, PATH_NOT_FOUND, REQUEST_TOO_LARGE, HEADERS_TOO_LARGE
sign in             UNAUTHENTICATED, ACCESS_DENIED
retry later         RATE_LIMITED, NO_INSTANCE, DEADLINE_PASSED
a bug               EDGE_FAILURE
"""

from dataclasses import dataclass

from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]

DOMAIN = "edge.tradepost"


@dataclass(frozen=True, slots=True)
class OwnError:
    """What callers get for an HTTP status that Envoy produced.

    `code` is that of gRPC callers; `rest_code` of REST callers, where that differs. With
    `adds_text`, Envoy's own text follows the message: it says what exactly is wrong. `cause` is a
    part of Envoy's details of the reply, where the status alone doesn't tell it from others;
    callers get `sent_status`, if that isn't 0.
    """

    http_status: int
    code: int
    reason: str
    message: str
    rest_code: int | None = None
    adds_text: bool = False
    cause: str = ""
    sent_status: int = 0

    def status(self) -> status_pb2.Status:
        """Return the status with the reason as detail, as the services' own errors have it."""
        info = AnyMessage()
        info.Pack(self.info(), deterministic=True)
        return status_pb2.Status(code=self.code, message=self.message, details=[info])

    def info(self) -> error_details_pb2.ErrorInfo:
        return error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN)

    @property
    def code_name(self) -> str:
        """The code as Connect writes it: "resource_exhausted"."""
        return str(code_pb2.Code.Name(self.code)).lower()


# Envoy answers 503 when it finds no instance and when the one it found can't be reached.
OWN_ERRORS = (
    OwnError(
        400, code_pb2.INVALID_ARGUMENT, "MALFORMED_REQUEST", "malformed request", adds_text=True
    ),
    # The reasons for which a service would refuse the same caller (policy/v1/access_error.proto).
    OwnError(
        401,
        code_pb2.UNAUTHENTICATED,
        "TOKEN_REQUIRED",
        "a bearer token is required",
        cause="Jwt_is_missing",
    ),
    OwnError(
        401,
        code_pb2.UNAUTHENTICATED,
        "TOKEN_EXPIRED",
        "the bearer token has expired",
        cause="Jwt_is_expired",
    ),
    OwnError(
        401,
        code_pb2.UNAUTHENTICATED,
        "TOKEN_INVALID",
        "the bearer token is not valid",
        adds_text=True,
    ),
    # Envoy forbids what comes with a token for another audience.
    OwnError(
        403,
        code_pb2.UNAUTHENTICATED,
        "TOKEN_INVALID",
        "the bearer token is for another audience",
        cause="jwt_authn",
        sent_status=401,
    ),
    OwnError(
        403,
        code_pb2.PERMISSION_DENIED,
        "ROLE_NOT_ALLOWED",
        "the caller's roles are others",
        cause="rbac_access_denied",
    ),
    # Envoy also forbids what it can't serve, such as an https:// URL on a connection without TLS.
    OwnError(
        403,
        code_pb2.INVALID_ARGUMENT,
        "MALFORMED_REQUEST",
        "malformed request",
        adds_text=True,
        sent_status=400,
    ),
    OwnError(
        404,
        code_pb2.UNIMPLEMENTED,
        "PATH_NOT_FOUND",
        "nothing is served at this path by this verb",
        rest_code=code_pb2.NOT_FOUND,
    ),
    OwnError(408, code_pb2.DEADLINE_EXCEEDED, "DEADLINE_PASSED", "the call took too long"),
    OwnError(413, code_pb2.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE", "the request is too large"),
    OwnError(429, code_pb2.RESOURCE_EXHAUSTED, "RATE_LIMITED", "too many requests; try later"),
    OwnError(431, code_pb2.RESOURCE_EXHAUSTED, "HEADERS_TOO_LARGE", "the headers are too large"),
    OwnError(500, code_pb2.INTERNAL, "EDGE_FAILURE", "internal error"),
    OwnError(502, code_pb2.UNAVAILABLE, "NO_INSTANCE", "no instance of the service answered"),
    OwnError(503, code_pb2.UNAVAILABLE, "NO_INSTANCE", "no instance of the service answered"),
    OwnError(504, code_pb2.DEADLINE_EXCEEDED, "DEADLINE_PASSED", "the call took too long"),
)
