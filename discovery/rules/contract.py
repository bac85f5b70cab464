"""Reads what a method's contract says about calling it: its descriptor's options.

Importing generated code fills the default descriptor pool. The policy option is found by its full
name, so this package imports no contract, and a contract of another team can state it too.
"""

from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

POLICY = "tradepost.policy.v1.policy"

_SAFE = frozenset({MethodOptions.NO_SIDE_EFFECTS, MethodOptions.IDEMPOTENT})


def is_safe(path: str, pool: descriptor_pool.DescriptorPool | None = None) -> bool:
    """True if the method's `idempotency_level` is NO_SIDE_EFFECTS or IDEMPOTENT.

    `path` is "/package.Service/Method". A method without the option is unsafe, and so is one whose
    descriptor isn't in the pool.
    """
    method = _descriptor(path, pool)
    return method is not None and method.GetOptions().idempotency_level in _SAFE


def waits(path: str) -> bool:
    """True if the method's policy says that its answer waits for something other than the instance.

    `path` is "/package.Service/Method". False for a method without the option or without a
    descriptor in the default pool.
    """
    method = _descriptor(path, None)
    if method is None:
        return False
    try:
        policy = descriptor_pool.Default().FindExtensionByName(POLICY)
    except KeyError:
        return False
    options: Any = method.GetOptions()  # typed stubs know no extension that is found by its name
    return bool(getattr(options.Extensions[policy], "waits", False))


def _descriptor(path: str, pool: descriptor_pool.DescriptorPool | None) -> MethodDescriptor | None:
    service_name, _, method_name = path.removeprefix("/").partition("/")
    descriptors = descriptor_pool.Default() if pool is None else pool
    try:
        return descriptors.FindServiceByName(service_name).methods_by_name[method_name]
    except KeyError:
        return None
