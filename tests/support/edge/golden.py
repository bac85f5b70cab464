"""Envoy's configuration for a small contract, as text that is kept in files.

`python -m tests.support.edge.golden` writes the files anew after a change that was meant.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from discovery.registry.instance import Instance
from discovery.tls.certificates import Certificates
from discovery.tls.spiffe import SpiffeIds
from services.edge.contract.contract import Contract, read
from services.edge.resources.resources import Resources, resources
from services.edge.resources.tls_secrets import EdgeCertificates, ServiceTls
from services.edge.settings import EdgeSettings

FOLDER = Path(__file__).parents[2] / "services/edge/resources/golden"
_PLAIN = ("listeners", "routes", "clusters", "endpoints")
# Each file and the kind of resources in it; with TLS, or with pages, only what differs.
FILES = {
    **{kind: kind for kind in _PLAIN},
    "clusters_with_tls": "clusters",
    "listeners_with_tls": "listeners",
    "secrets": "secrets",
    "clusters_with_pages": "clusters",
    "endpoints_with_pages": "endpoints",
    "routes_with_pages": "routes",
}
_PAGES = EdgeSettings(pages="/shop=storefront,/mobile/v1=storefront,/console=console")
_TLS = EdgeCertificates(
    to_services=ServiceTls(
        Certificates(chain=b"chain", key=b"key", roots=b"roots"),
        SpiffeIds("spiffe://shop.test/{service}"),
    ),
    to_callers=Certificates(chain=b"public chain", key=b"public key", roots=b""),
)
# A read, a change that waits, and a stream.
_METHODS = ("GetOrder", "CreateOrder", "WatchOrder")


def configuration(contract: Contract, file: str) -> str:
    """What is in a file: resources for three methods and one instance, without the descriptors."""
    certificates = EdgeCertificates() if file in _PLAIN else _TLS
    settings = _PAGES if file.endswith("_with_pages") else EdgeSettings()
    return _text(getattr(_small(contract, certificates, settings), FILES[file]))


def _small(contract: Contract, certificates: EdgeCertificates, settings: EdgeSettings) -> Resources:
    methods = tuple(method for method in contract.methods if method.name in _METHODS)
    small = replace(contract, methods=methods, descriptor_set=b"descriptors", openapi=b"{}")
    order = Instance("order-1", "order", "10.0.0.1", 50051, incarnation="first")
    shop = Instance("shop-1", "storefront", "10.0.0.2", 8001, meta={"protocol": "http"})
    registry = {"order": (order,), "storefront": (shop,)}
    return resources(registry, small, settings, certificates=certificates)


def _text(named: Mapping[str, Message]) -> str:
    found = [
        json_format.MessageToDict(each, preserving_proto_field_name=True) for each in named.values()
    ]
    return f"{json.dumps(_without_replies(found), indent=2, sort_keys=True)}\n"


def _without_replies(value: Any) -> Any:
    """Leave out the edge's own errors, a mapper for each with each protocol: calls test them."""
    match value:
        case dict():
            return {
                name: _without_replies(each)
                for name, each in value.items()
                if name != "local_reply_config"
            }
        case list():
            return [_without_replies(each) for each in value]
    return value


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in FILES:
        (FOLDER / f"{each}.json").write_text(configuration(read(), each))
