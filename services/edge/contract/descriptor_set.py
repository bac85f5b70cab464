"""The descriptor set of what the edge serves: for Envoy's transcoder and for clients' tools.

Envoy needs `google.api.http` rules, which our contracts don't have; they are made of the policies'
paths. It also needs every type that an error can carry: with one missing, the transcoder answers
that error with an empty body.
"""

from collections.abc import Iterator

from google.api import annotations_pb2, http_pb2  # type: ignore[import-untyped]
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import (
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)
from google.rpc import error_details_pb2  # type: ignore[import-untyped]

from services.edge.contract.methods import policy_of

_FILES_OF_GOOGLE = (annotations_pb2.DESCRIPTOR, error_details_pb2.DESCRIPTOR)


def descriptor_set(files: FileDescriptorSet) -> bytes:
    """Return the serialized FileDescriptorSet of the public methods and all that they can answer.

    Methods without an HTTP path are left out. The files are in the order of their imports, and the
    bytes are the same for the same contracts. They have no comments.
    """
    served = FileDescriptorSet()
    for proto in _with_imports(_FILES_OF_GOOGLE):
        served.file.append(proto)
    known = {file.name for file in served.file}
    for file in _needed(files):
        if file.name not in known:
            served.file.append(_public(file))
    return served.SerializeToString(deterministic=True)


def _needed(files: FileDescriptorSet) -> Iterator[FileDescriptorProto]:
    """Every file of a package that has a public method, and what these import.

    The whole package, because an answer or an error can carry any of its messages in an Any.
    """
    packages = {file.package for file in files.file if _has_public_method(file)}
    by_name = {file.name: file for file in files.file}
    needed: set[str] = set()
    waiting = [file.name for file in files.file if file.package in packages]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting.extend(by_name[name].dependency)
    return (file for file in files.file if file.name in needed)


def _has_public_method(file: FileDescriptorProto) -> bool:
    return any(policy_of(method).http for service in file.service for method in service.method)


def _public(file: FileDescriptorProto) -> FileDescriptorProto:
    """Return the file with only its public methods, each with its HTTP rule, and no comments."""
    public = FileDescriptorProto()
    public.CopyFrom(file)
    public.ClearField("source_code_info")
    del public.service[:]
    for service in file.service:
        methods = [_with_http_rule(method) for method in service.method if policy_of(method).http]
        if methods:
            copy = public.service.add()
            copy.CopyFrom(service)
            del copy.method[:]
            copy.method.extend(methods)
    if public.service:
        public.dependency.append(annotations_pb2.DESCRIPTOR.name)
    return public


def _with_http_rule(method: MethodDescriptorProto) -> MethodDescriptorProto:
    verb, _, path = policy_of(method).http.partition(" ")
    rule = http_pb2.HttpRule(get=path) if verb == "GET" else http_pb2.HttpRule(post=path, body="*")
    copy = MethodDescriptorProto()
    copy.CopyFrom(method)
    copy.options.Extensions[annotations_pb2.http].CopyFrom(rule)
    return copy


def _with_imports(roots: tuple[FileDescriptor, ...]) -> Iterator[FileDescriptorProto]:
    """The files and all that they import, each once and after its imports."""
    found: dict[str, FileDescriptor] = {}

    def visit(file: FileDescriptor) -> None:
        if file.name not in found:
            for dependency in file.dependencies:
                visit(dependency)
            found[file.name] = file

    for root in roots:
        visit(root)
    return map(_to_proto, found.values())


def _to_proto(file: FileDescriptor) -> FileDescriptorProto:
    proto = FileDescriptorProto()
    file.CopyToProto(proto)
    return proto
