"""Whoever looks at a page: their calls carry their token, and end with the page's deadline."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from services.chassis.identity.method_access import CUSTOMER, access_of

RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT")
ItemT = TypeVar("ItemT")
Metadata: TypeAlias = tuple[tuple[str, str], ...]

LARGEST_PAGE = 1_000


class _Page(Protocol):
    @property
    def next_page_token(self) -> str: ...


PageT = TypeVar("PageT", bound=_Page)


@dataclass(frozen=True, slots=True)
class Asker:
    """The metadata of a person's calls, their roles, and how long a page waits for answers."""

    metadata: Metadata
    roles: frozenset[str]
    timeout_s: float

    def call(
        self, method: grpc.aio.UnaryUnaryMultiCallable[RequestT, ResponseT], request: RequestT
    ) -> Awaitable[ResponseT]:
        """Call a method in the name of the person."""
        return method(request, timeout=self.timeout_s, metadata=self.metadata)

    async def read(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Any, PageT],
        request: Any,
        items: Callable[[PageT], Iterable[ItemT]],
        *,
        most: int = LARGEST_PAGE,
    ) -> list[ItemT]:
        """The first items of a list, at most `most` of them, page by page."""
        found: list[ItemT] = []
        while True:
            request.page_size = min(most - len(found), LARGEST_PAGE)
            page = await self.call(method, request)
            found += items(page)
            request.page_token = page.next_page_token
            if not page.next_page_token or len(found) >= most:
                return found


def method_of(request: Message | type[Message]) -> MethodDescriptor:
    """The method whose request this is; every method of the contracts has a request of its own."""
    asked = request.DESCRIPTOR
    methods = (
        method for service in asked.file.services_by_name.values() for method in service.methods
    )
    return cast(MethodDescriptor, next(each for each in methods if each.input_type is asked))


def staff_roles(request: Message | type[Message]) -> frozenset[str]:
    """The roles of staff who may call the method, as its contract says; customers have a shop."""
    method = method_of(request)
    path = f"/{method.containing_service.full_name}/{method.name}"
    return access_of(path).roles - {CUSTOMER}


def is_allowed(roles: frozenset[str], request: Message | type[Message]) -> bool:
    """Whether somebody with these roles may call the method of the request.

    In the open mode no service asks who calls, so the console itself keeps to the contract.
    """
    return bool(roles & staff_roles(request))
