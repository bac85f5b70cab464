"""Which services there are: each is known by its contract, and is listed nowhere else.

The contract of the service `order` is `protos/tradepost/order/v1/order_service.proto`, which
declares `OrderService`. Under the same name it is registered, and `services/order` has its code.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

import tradepost
from google.protobuf.descriptor import FileDescriptor

# The contracts of the chassis itself, which every service serves beside its own.
SERVED_BY_ALL = frozenset({"event", "instance"})


@cache
def contracts() -> Mapping[str, FileDescriptor]:
    """The contract of each service, by the service's name and sorted by it."""
    return MappingProxyType(dict(sorted(_contracts())))


def _contracts() -> Iterator[tuple[str, FileDescriptor]]:
    for folder in map(Path, tradepost.__path__):
        for file in folder.glob("*/v1/*_service_pb2.py"):
            name = file.parent.parent.name
            if file.name == f"{name}_service_pb2.py" and name not in SERVED_BY_ALL:
                yield name, import_module(f"tradepost.{name}.v1.{name}_service_pb2").DESCRIPTOR
