"""A program that forks, as the servers of Django and Celery do; prints what each process observed.

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
    """Make a call; return the answer or the error."""
    try:
        get: Any = channel.unary_unary(path("Get"))
        return str(get(text, timeout=60).decode())
    except (grpc.RpcError, blocking.ForkUnsupportedError) as error:
        return type(error).__name__


def in_child(work: Callable[[], str]) -> str:
    """Do the work in a child made by os.fork and return its answer."""
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
    """Make the channel in the parent; use it in the children, then in the parent."""
    children = [in_child(lambda: ask(channel, b"child")) for _ in range(2)]
    return {"children": children, "parent": ask(channel, b"parent")}


def after_use(channel: grpc.Channel) -> dict[str, Any]:
    """Use the channel in the parent first, then in a child, a grandchild and the parent again."""
    before = ask(channel, b"parent")

    def child() -> str:
        return f"{ask(channel, b'child')} {in_child(lambda: ask(channel, b'grandchild'))}"

    children = [in_child(child) for _ in range(2)]
    return {"before": before, "children": children, "parent": ask(channel, b"parent")}


def draws(channel: grpc.Channel) -> dict[str, Any]:
    """Draw from the channel's random numbers in the children and in the parent."""
    made: Any = channel

    def draw() -> str:
        return str(made.process_state().balancer._rng.random())

    return {"children": [in_child(draw) for _ in range(2)], "parent": draw()}


def without_registry(channel: grpc.Channel) -> dict[str, Any]:
    """Use the channel in the parent, wait for a line of input, then use it in a child."""
    before = ask(channel, b"parent")
    print(flush=True)  # noqa: T201 - the registry may end now
    sys.stdin.readline()
    return {"before": before, "child": in_child(lambda: ask(channel, b"child"))}


def pool(channel: grpc.Channel) -> dict[str, Any]:
    """Use the channel in the parent, then in multiprocessing's pool of forked workers."""
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
