"""Combines a method's contract, the service config and the defaults into a `Method`."""

import logging

from discovery.config.service_config import MethodConfig, ServiceConfig
from discovery.rules import contract, deadline
from discovery.rules.method import CLIENT_STREAMS, Kind, Method
from discovery.rules.retry_policy import DEFAULT_RETRY

logger = logging.getLogger(__name__)


def method_of(service_config: ServiceConfig, path: str, kind: Kind, *, registered: bool) -> Method:
    """The method at "/package.Service/Method"; `registered`: a generated stub named it.

    Logs a part of the config that has no effect on this method.
    """
    config = service_config.of_method(path)
    default_s = deadline.DEFAULT_TIMEOUT_S if kind is Kind.UNARY_UNARY else None
    safe = contract.is_safe(path) or config.idempotent
    _log_without_effect(service_config, config, path, kind, safe=safe)
    return Method(
        path=path,
        kind=kind,
        registered=registered,
        safe=safe,
        retry=config.retry or DEFAULT_RETRY,
        timeout_s=config.timeout_s,
        default_timeout_s=config.timeout_s or default_s,
        wait_for_ready=bool(config.wait_for_ready),
        waits=contract.waits(path) if config.waits is None else config.waits,
        hedging=config.hedging,
        breaker_codes=service_config.breaker_codes,
    )


def _log_without_effect(
    service_config: ServiceConfig, config: MethodConfig, path: str, kind: Kind, *, safe: bool
) -> None:
    """Log a warning if the entry names the method, and information if it names all of them."""
    if config.retry is None and config.hedging is None:
        return
    if kind in CLIENT_STREAMS:
        reason = "the requests of a stream can't be sent twice"
    elif safe:
        return
    else:
        reason = (
            "its contract states no idempotency_level; state one, or set"
            f' "idempotent": true in {config.place}'
        )
    service, _, method = path.removeprefix("/").partition("/")
    logger.log(
        logging.WARNING if (service, method) in service_config.methods else logging.INFO,
        "%s.%s has no effect on a call of %s that may have been sent: %s",
        config.place,
        "hedgingPolicy" if config.retry is None else "retryPolicy",
        path,
        reason,
    )
