"""Combines a method's contract, the service config and the defaults into a `Method`."""

from discovery.config.service_config import ServiceConfig
from discovery.rules import deadline
from discovery.rules.idempotency import is_safe
from discovery.rules.method import Kind, Method
from discovery.rules.retry_policy import DEFAULT_RETRY


def method_of(service_config: ServiceConfig, path: str, kind: Kind, *, registered: bool) -> Method:
    """The method at "/package.Service/Method"; `registered`: a generated stub named it."""
    config = service_config.of_method(path)
    default_s = deadline.DEFAULT_TIMEOUT_S if kind is Kind.UNARY_UNARY else None
    return Method(
        path=path,
        kind=kind,
        registered=registered,
        safe=is_safe(path),
        retry=config.retry or DEFAULT_RETRY,
        timeout_s=config.timeout_s,
        default_timeout_s=config.timeout_s or default_s,
        wait_for_ready=bool(config.wait_for_ready),
        waits=config.waits,
        hedging=config.hedging,
        breaker_codes=service_config.breaker_codes,
    )
