"""The ports that private agents, databases and edges are started on."""

import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from scripts.suite.consul import _is_free, free_ports
from scripts.tools.paths import ROOT

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_no_connection_of_another_process_takes_a_free_port() -> None:
    """The kernel gives ports from its own range to connections and to whoever asks for any."""
    lowest = int(_RANGE.read_text().split()[0])

    assert max(free_ports(50)) < lowest


def test_free_ports_differ() -> None:
    """Ports that were handed out and aren't used yet are not handed out again."""
    found = [port for _ in range(20) for port in free_ports(3)]

    assert len(set(found)) == len(found)


def test_a_port_in_use_is_left_out() -> None:
    """Neither a port with a listener nor one that only receives datagrams is free."""
    one, other = free_ports(2)
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", one))
        udp.bind(("127.0.0.1", other))
        assert not _is_free(one)
        assert not _is_free(other)
    assert _is_free(one)
    assert _is_free(other)


def test_a_listener_on_any_address_is_in_the_way() -> None:
    """A port may be used on every address of the machine, so it must be free on all."""
    (port,) = free_ports(1)
    with socket.socket() as elsewhere:
        elsewhere.bind(("127.0.0.9", port))
        assert not _is_free(port)


def test_processes_are_given_different_ports() -> None:
    """Two runs on one machine don't take each other's ports, not even those not used yet."""
    taking = (
        "from scripts.suite.consul import free_ports; print(*free_ports(250), flush=True); input()"
    )
    with ExitStack() as stack:
        others = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", taking],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                )
            )
            for _ in range(3)
        ]
        told = [other.stdout.readline() for other in others if other.stdout is not None]
    found = [int(port) for line in told for port in line.split()] + free_ports(250)

    assert len(set(found)) == 1000
