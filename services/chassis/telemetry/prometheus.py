"""Serves the metrics over HTTP, as Prometheus reads them. Only imported where a port is set."""

from dataclasses import dataclass
from wsgiref.simple_server import WSGIServer

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

# Every time series says whose it is: alerts and dashboards need no names of scrape jobs.
_SHOWN_OF_RESOURCE = "service.name"


@dataclass(frozen=True, slots=True)
class PrometheusEndpoint:
    """A reader of the process's metrics, and the server that answers with them."""

    reader: PrometheusMetricReader
    _server: WSGIServer

    def close(self) -> None:
        """Answer no more; blocks until the server's thread has noticed."""
        self._server.shutdown()
        self._server.server_close()


def serve(host: str, port: int) -> PrometheusEndpoint:
    """Serve `/metrics` on a thread of its own. Raises OSError when it can't listen."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    server, _ = start_http_server(port, host, registry)
    reader = PrometheusMetricReader(
        scope_info_enabled=False,
        resource_attribute_filter=lambda key: key == _SHOWN_OF_RESOURCE,
        registry=registry,
    )
    return PrometheusEndpoint(reader, server)
