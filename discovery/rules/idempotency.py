"""Reads in a method's contract whether it may be sent twice."""

from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import MethodOptions

_SAFE = frozenset({MethodOptions.NO_SIDE_EFFECTS, MethodOptions.IDEMPOTENT})


def is_safe(path: str, pool: descriptor_pool.DescriptorPool | None = None) -> bool:
    """True if the method's `idempotency_level` is NO_SIDE_EFFECTS or IDEMPOTENT.

    `path` is "/package.Service/Method". A method without the option is unsafe, and so is one whose
    descriptor isn't in the pool. Importing generated code fills the default pool.
    """
    service_name, _, method_name = path.removeprefix("/").partition("/")
    descriptors = descriptor_pool.Default() if pool is None else pool
    try:
        service = descriptors.FindServiceByName(service_name)
        method = service.methods_by_name[method_name]
    except KeyError:
        return False
    return method.GetOptions().idempotency_level in _SAFE
