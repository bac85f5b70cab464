"""The stubs are pleasant to call: typed, and named the same for the checker and at run time."""

import re
from importlib import import_module
from pathlib import Path

import grpc
import pytest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub, OrderServiceStub

from scripts.tools.paths import ROOT

GENERATED = ROOT / "generated"
TYPED_STUBS = sorted(GENERATED.rglob("*_service_pb2_grpc.pyi"))


@pytest.mark.parametrize("path", TYPED_STUBS, ids=lambda path: path.stem)
def test_every_typed_class_exists(path: Path) -> None:
    """Every class that the type stubs declare exists at run time."""
    module = import_module(path.relative_to(GENERATED).with_suffix("").as_posix().replace("/", "."))
    typed = re.findall(r"^class ([A-Z]\w+)", path.read_text(), re.MULTILINE)

    assert typed
    assert [name for name in typed if not hasattr(module, name)] == []


async def test_a_stub_on_an_asyncio_channel_is_the_async_stub() -> None:
    """`OrderServiceStub(channel)` is what an annotation calls `OrderServiceAsyncStub`."""
    async with grpc.aio.insecure_channel("localhost:1") as channel:
        stub: OrderServiceAsyncStub = OrderServiceStub(channel)

        assert isinstance(stub, OrderServiceAsyncStub)


def test_an_editor_shows_the_comments_of_the_contract() -> None:
    """A message, its fields and the values of an enum carry the comments of their .proto file."""
    stub = (GENERATED / "tradepost/order/v1/order_pb2.pyi").read_text()
    contract = (ROOT / "protos/tradepost/order/v1/order.proto").read_text()
    comments = re.findall(r"^ *// (.{20,60}\.)$", contract, re.MULTILINE)

    assert comments
    assert [comment for comment in comments if comment not in stub] == []
