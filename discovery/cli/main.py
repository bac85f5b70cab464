"""The commands of `python -m discovery`: they show what callers of a target see.

    python -m discovery resolve consul:///order
    python -m discovery watch consul:///order
    python -m discovery explain consul:///order
    python -m discovery resolve --ca-file ca.pem consul:///order
    python -m discovery resolve --consul-certificate operator consul:///order

Exit codes: 0; 1 if there is no usable instance; 2 if the registry doesn't answer.
"""

import argparse
import asyncio
import logging
import os
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from discovery.aio.open import open_channel
from discovery.cli.connection_options import (
    HINT,
    ConnectionSecurity,
    add_connection_options,
    connection_security,
)
from discovery.cli.explanation_view import explanation_as_json, explanation_as_tables
from discovery.cli.inspection import Finding, inspect
from discovery.cli.instances_view import (
    change_as_json,
    change_as_lines,
    findings_as_json,
    findings_as_table,
)
from discovery.clock import Clock, SystemClock
from discovery.registry.instance import Resolution
from discovery.registry.protocols import RegistryError, Watcher
from discovery.registry.resolver import Resolver
from discovery.registry.schemes import registry_of
from discovery.registry.target import Target, parse_target
from discovery.tls import failures

EXIT_USABLE = 0
EXIT_NO_INSTANCES = 1
EXIT_REGISTRY_DOWN = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    # The commands print what the package would log.
    logging.getLogger("discovery").addHandler(logging.NullHandler())
    parser = _parser()
    options = parser.parse_args(arguments)
    clock, rng = SystemClock(), random.Random()
    try:
        with _usage_errors(parser):
            target = parse_target(options.target)
            watcher = registry_of(target, clock=clock, rng=rng)
        if options.command == "watch":
            asyncio.run(_watch(target, watcher, clock=clock, rng=rng, as_json=options.json))
            return EXIT_USABLE
        with _usage_errors(parser):
            security = connection_security(options, watcher, clock=clock, rng=rng)
            dial = security.dialer(target, options.authority)
        if options.command == "resolve":
            findings = asyncio.run(inspect(target, watcher, dial=dial, timeout_s=options.timeout))
            _hint(finding.cause for finding in findings)
            return _print_findings(options.target, findings, as_json=options.json)
        return asyncio.run(_explain(options, security))
    except RegistryError as error:
        sys.stderr.write(f"{options.target} can't be resolved: {error}\n")
        return EXIT_REGISTRY_DOWN
    except KeyboardInterrupt:
        pass
    return EXIT_USABLE


@contextmanager
def _usage_errors(parser: argparse.ArgumentParser) -> Iterator[None]:
    """End with a usage message if the arguments name what can't be used."""
    try:
        yield
    except (ValueError, OSError) as error:
        parser.error(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m discovery",
        description="What callers of a target see.",
        epilog="A Consul agent is found by the variables of Consul's tools (CONSUL_HTTP_ADDR...).",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    resolve = commands.add_parser("resolve", help="list the instances of a target")
    resolve.add_argument(
        "--timeout",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="how long to wait for each instance's health (default: 1)",
    )
    watch = commands.add_parser("watch", help="follow the instances of a target until Ctrl-C")
    explain = commands.add_parser(
        "explain", help="show how a new caller sees and picks the instances"
    )
    explain.add_argument("--timeout", type=float, default=5.0, metavar="SECONDS")
    explain.add_argument(
        "--picks", type=int, default=10, help="how many picks to try (default: 10)"
    )
    for command in (resolve, explain):
        add_connection_options(command)
    for command in (resolve, watch, explain):
        command.add_argument("target", help="consul:///order, consul:///order?tag=v2, dns:///...")
        command.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _hint(causes: Iterable[str | None]) -> None:
    """Name the options of TLS if an instance may want it."""
    if any(failures.CLOSED in (cause or "") for cause in causes):
        sys.stderr.write(f"{HINT}\n")


def _print_findings(target: str, findings: Sequence[Finding], *, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(findings_as_json(target, findings) + "\n")
    elif findings:
        sys.stdout.write(findings_as_table(findings) + "\n")
    if any(finding.usable for finding in findings):
        return EXIT_USABLE
    problem = "has no instance that passes its check" if findings else "has no instances"
    sys.stderr.write(f"{target} {problem}.\n")
    return EXIT_NO_INSTANCES


async def _explain(options: argparse.Namespace, security: ConnectionSecurity) -> int:
    """Open a channel as any caller does, and print its explanation."""
    async with open_channel(
        options.target,
        credentials=security.credentials,
        certificates=security.certificates,
        authority=options.authority,
    ) as channel:
        with suppress(TimeoutError):
            async with asyncio.timeout(options.timeout):
                await channel.settled()
        explanation = channel.explain(try_picks=options.picks)
    _hint(one.cause for one in explanation.instances)
    describe = explanation_as_json if options.json else explanation_as_tables
    sys.stdout.write(describe(explanation) + "\n")
    if explanation.state == "READY":
        return EXIT_USABLE
    return EXIT_REGISTRY_DOWN if explanation.error else EXIT_NO_INSTANCES


async def _watch(
    target: Target, watcher: Watcher, *, clock: Clock, rng: random.Random, as_json: bool
) -> None:
    """Print every change as the registry reports it, for ever; vanished instances aren't kept."""
    seen = Resolution(version=0, instances=())
    describe = change_as_json if as_json else change_as_lines

    def publish(resolution: Resolution) -> None:
        nonlocal seen
        moment = clock.now().isoformat(timespec="milliseconds")
        sys.stdout.writelines(f"{line}\n" for line in describe(moment, seen, resolution))
        sys.stdout.flush()
        seen = resolution

    resolver = Resolver(
        service=target.service,
        tag=target.tag,
        watcher=watcher,
        clock=clock,
        rng=rng,
        publish=publish,
        is_serving=lambda _: False,
    )
    try:
        await resolver.run()
    except* BrokenPipeError:
        # The reader (`| head`) has gone. The interpreter's last flush must not fail as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
