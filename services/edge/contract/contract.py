"""Reads all contracts and hands out what the edge needs of them."""

from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from tradepost.policy.v1 import policy_pb2

from services.edge.contract.descriptor_set import descriptor_set
from services.edge.contract.methods import PublicMethod, public_methods
from services.edge.contract.openapi import openapi

# Made of protos/ by ./scripts/generate, beside the stubs' package.
CONTRACTS = Path(policy_pb2.__file__).parents[3] / "contracts.binpb"


@dataclass(frozen=True, slots=True)
class Contract:
    """The public methods, the serialized descriptor set with their HTTP rules, and OpenAPI."""

    methods: tuple[PublicMethod, ...]
    descriptor_set: bytes = field(repr=False)
    openapi: bytes = field(repr=False)


def read(path: Path = CONTRACTS) -> Contract:
    """Read the descriptor set of all contracts. Raises OSError, or DecodeError if it is none."""
    files = FileDescriptorSet.FromString(path.read_bytes())
    methods = public_methods(files)
    return Contract(methods, descriptor_set(files), openapi(methods, files))
