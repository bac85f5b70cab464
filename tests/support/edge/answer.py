"""What a caller got, in a form that is the same for every protocol."""

from dataclasses import dataclass

from google.protobuf import message_factory
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from services.edge.contract.methods import PublicMethod


@dataclass(frozen=True, slots=True)
class Answer:
    """The messages of an answer, and the reason and domain of its error, if it is one."""

    messages: tuple[Message, ...] = ()
    reason: str = ""
    domain: str = ""

    @property
    def failed(self) -> bool:
        return bool(self.reason)


def parsed(method: PublicMethod, data: bytes) -> Message:
    """Read a message of the method's answer."""
    return message_factory.GetMessageClass(method.response).FromString(data)


def failure(details: bytes) -> Answer:
    """The answer whose `grpc-status-details-bin` has these bytes."""
    for detail in status_pb2.Status.FromString(details).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return Answer(reason=info.reason, domain=info.domain)
    raise AssertionError(f"an error without a reason: {details!r}")


def failure_of_info(info: bytes) -> Answer:
    """The answer whose ErrorInfo has these bytes."""
    read = error_details_pb2.ErrorInfo.FromString(info)
    return Answer(reason=read.reason, domain=read.domain)
