"""Answers reads again that a service allows to be reused (`cache-control`, from `max_age`).

Only methods whose policy has a `max_age` pass the cache. Its entries are files, because Envoy's
cache in memory has no limit.
"""

from collections.abc import Mapping

from envoy.extensions.common.async_files.v3 import async_file_manager_pb2
from envoy.extensions.filters.http.cache.v3 import cache_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)
from envoy.extensions.http.cache.file_system_http_cache.v3 import file_system_http_cache_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.wrappers_pb2 import UInt64Value

from services.edge.resources.packing import packed, turned_on
from services.edge.settings import EdgeSettings

_NAME = "envoy.filters.http.cache"
_MAX_ENTRIES = 10_000
_THREADS = 1


def response_cache(settings: EdgeSettings) -> http_connection_manager_pb2.HttpFilter:
    """Return the filter; it is off for routes that don't say `reusable`."""
    files = file_system_http_cache_pb2.FileSystemHttpCacheConfig(
        manager_config=async_file_manager_pb2.AsyncFileManagerConfig(
            thread_pool=async_file_manager_pb2.AsyncFileManagerConfig.ThreadPool(
                thread_count=_THREADS
            )
        ),
        cache_path=settings.cache_folder,
        max_cache_size_bytes=UInt64Value(value=settings.cache_bytes),
        max_cache_entry_count=UInt64Value(value=_MAX_ENTRIES),
    )
    return http_connection_manager_pb2.HttpFilter(
        name=_NAME,
        typed_config=packed(cache_pb2.CacheConfig(typed_config=packed(files))),
        disabled=True,
    )


def reusable() -> Mapping[str, AnyMessage]:
    """Return what the route of a method with a `max_age` says."""
    return {_NAME: turned_on()}
