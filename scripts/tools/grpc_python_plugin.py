"""A protoc plugin for the gRPC half of the Python stubs.

buf needs a plugin binary, but grpcio-tools has that generator only inside of its own protoc. So
this program speaks the plugin protocol (a CodeGeneratorRequest on stdin, a CodeGeneratorResponse on
stdout) and passes the descriptors to that protoc.

It also adds a name: mypy-protobuf types a stub on an asyncio channel as `OrderServiceAsyncStub`,
which exists for type checkers only. The plugin makes it an alias of the stub's class at run time,
so that an annotation can import it.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet


def generate(request: CodeGeneratorRequest) -> CodeGeneratorResponse:
    """The `_pb2_grpc.py` file of each requested proto, or protoc's output as the error."""
    response = CodeGeneratorResponse()
    response.supported_features = CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
    with tempfile.TemporaryDirectory() as folder:
        descriptors = Path(folder, "descriptors.binpb")
        descriptors.write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
        output = Path(folder, "output")
        output.mkdir()
        command = [sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={descriptors}"]
        command += [f"--grpc_python_out={output}", *request.file_to_generate]
        protoc = subprocess.run(command, capture_output=True, text=True, check=False)
        if protoc.returncode != 0:
            response.error = protoc.stderr
        for file in request.proto_file:
            name = f"{file.name.removesuffix('.proto')}_pb2_grpc.py"
            if (output / name).exists():
                content = (output / name).read_text() + async_names(file)
                response.file.add(name=name, content=content)
    return response


def async_names(file: FileDescriptorProto) -> str:
    """A line for each service, which defines the name of its typed asyncio stub."""
    names = [service.name for service in file.service]
    return "".join(f"\n\n{name}AsyncStub = {name}Stub\n" for name in names)


if __name__ == "__main__":
    asked = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    sys.stdout.buffer.write(generate(asked).SerializeToString())
