"""An instance of the web application `storefront` as a process, listed by Consul.

PAGE_NAME=first PAGE_PORT=8001 python -m tests.support.edge.page_process
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from scripts.suite.consul import free_ports
from scripts.suite.processes.slot import ProcessSlot
from tests.support.edge.page_instance import META
from tests.support.limits import WAIT_S


@dataclass(frozen=True, slots=True)
class PageProcess:
    """A running process; `slot` stops and kills it."""

    name: str
    slot: ProcessSlot
    consul: str

    async def withdraw(self) -> None:
        """Take the instance out of Consul."""
        await _put(self.consul, f"deregister/{self.name}", None)


def main(name: str, port: int) -> None:
    """Answer every GET with the name until the process ends."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=name)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    web.run_app(app, host="127.0.0.1", port=port, print=None)


@asynccontextmanager
async def page_process(name: str, *, consul: str, folder: Path) -> AsyncIterator[PageProcess]:
    """Run an instance of this name until the block ends.

    Consul makes no check of its own: an instance that died is listed until somebody withdraws it.
    """
    (port,) = free_ports(1)
    environment = {"PAGE_NAME": name, "PAGE_PORT": str(port)}
    module = "tests.support.edge.page_process"
    slot = ProcessSlot("storefront", 1, module, folder / f"{name}.log", environment)
    await slot.start()
    try:
        await _until_listening(port)
        listed = {"ID": name, "Name": "storefront", "Address": "127.0.0.1", "Port": port}
        await _put(consul, "register", {**listed, "Meta": META})
        yield PageProcess(name, slot, consul)
    finally:
        await slot.stop()


async def _until_listening(port: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0)
            else:
                writer.close()
                return


async def _put(consul: str, path: str, body: object) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.put(f"http://{consul}/v1/agent/service/{path}", json=body) as answer,
    ):
        assert answer.status == 200, await answer.text()


if __name__ == "__main__":
    main(os.environ["PAGE_NAME"], int(os.environ["PAGE_PORT"]))
