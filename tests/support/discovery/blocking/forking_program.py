"""A program that forks, as Django's and Celery's servers do; prints what each process saw.

python -m tests.support.discovery.blocking.forking_program SCENARIO TARGET
"""

import json
import multiprocessing
import os
import sys
from collections.abc import Callable
from typing import Any

import grpc

from discovery import blocking
from tests.support.discovery.probe_service import path


def ask(channel: grpc.Channel, text: bytes) -> str:
    """The answer, or how the call failed."""
    try:
        get: Any = channel.unary_unary(path("Get"))
        return str(get(text, timeout=60).decode())
    except (grpc.RpcError, blocking.ForkUnsupportedError) as error:
        return type(error).__name__


def in_child(work: Callable[[], str]) -> str:
    """What the work answers in a child made by os.fork."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, work().encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return text


def before_first_use(channel: grpc.Channel) -> dict[str, Any]:
    """The channel is made in the parent, and used in the children and then in the parent."""
    children = [in_child(lambda: ask(channel, b"child")) for _ in range(2)]
    return {"children": children, "parent": ask(channel, b"parent")}


def after_use(channel: grpc.Channel) -> dict[str, Any]:
    """The parent has used it, and goes on; so does a grandchild."""
    before = ask(channel, b"parent")

    def child() -> str:
        return f"{ask(channel, b'child')} {in_child(lambda: ask(channel, b'grandchild'))}"

    children = [in_child(child) for _ in range(2)]
    return {"before": before, "children": children, "parent": ask(channel, b"parent")}


def pool(channel: grpc.Channel) -> dict[str, Any]:
    """multiprocessing's pool of forked workers, after use in the parent."""
    global _shared  # noqa: PLW0603 - how forked workers get at what their parent made
    _shared = channel
    before = ask(channel, b"parent")
    with multiprocessing.get_context("fork").Pool(2) as workers:
        children = workers.map(_ask_shared, range(4))
    return {"before": before, "children": sorted(children), "parent": ask(channel, b"parent")}


_shared: grpc.Channel


def _ask_shared(number: int) -> str:
    return ask(_shared, b"%d" % number)


if __name__ == "__main__":
    scenario, target = sys.argv[1:]
    with blocking.open_channel(target) as made:
        print(json.dumps(globals()[scenario](made)), flush=True)  # noqa: T201 - its answer
