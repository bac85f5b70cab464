"""Keeps the last good list on disk, for a caller that starts while the registry is down.

A running caller keeps its last list for ever, but one that starts has none. With a snapshot it
starts with the instances of the last list that any caller wrote.
"""

import asyncio
import json
import logging
import os
from collections.abc import AsyncGenerator
from pathlib import Path

from discovery.registry.instance import Instance
from discovery.registry.instance_json import instance_from_json, instance_to_json
from discovery.registry.protocols import RegistryError, Watcher, closing

logger = logging.getLogger(__name__)


class SnapshotWatcher:
    """Writes each good list of a watcher to a file, and reads the file if the first look-up fails.

    A list without usable instances is never written. The file is replaced in one step, so processes
    may share it. An error of the file is logged and doesn't fail the watch.
    """

    def __init__(self, watcher: Watcher, path: Path) -> None:
        self._watcher = watcher
        self._path = path
        self._had_a_list = False

    async def watch(
        self, service: str, *, tag: str | None = None
    ) -> AsyncGenerator[tuple[Instance, ...], None]:
        try:
            async with closing(self._watcher.watch(service, tag=tag)) as lists:
                async for instances in lists:
                    self._had_a_list = True
                    yield instances
                    if usable := tuple(one for one in instances if one.usable):
                        await asyncio.to_thread(self._write, usable)
        except RegistryError:
            instances = () if self._had_a_list else await asyncio.to_thread(self._read)
            if instances:
                self._had_a_list = True
                yield instances
            raise

    async def lookup(self, service: str, *, tag: str | None = None) -> tuple[Instance, ...]:
        return await self._watcher.lookup(service, tag=tag)

    def _write(self, instances: tuple[Instance, ...]) -> None:
        unfinished = self._path.with_name(f".{self._path.name}.{os.getpid()}.{id(self):x}")
        try:
            unfinished.write_text(json.dumps([instance_to_json(each) for each in instances]))
            unfinished.replace(self._path)
        except OSError as error:
            logger.warning("the snapshot %s can't be written: %s", self._path, error)

    def _read(self) -> tuple[Instance, ...]:
        try:
            documents = json.loads(self._path.read_text())
            instances = tuple(instance_from_json(document) for document in documents)
        except FileNotFoundError:
            return ()
        except (OSError, KeyError, TypeError, ValueError) as error:
            logger.warning("the snapshot %s can't be read: %r", self._path, error)
            return ()
        logger.warning("starting with %d instances out of %s", len(instances), self._path)
        return instances


def snapshot_directory() -> Path | None:
    """The folder that DISCOVERY_SNAPSHOT_DIR names, where callers keep their last good lists."""
    named = os.environ.get("DISCOVERY_SNAPSHOT_DIR")
    return Path(named) if named else None
