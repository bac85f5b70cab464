"""`python -m discovery`: what callers of a target see, for a person at a terminal.

    python -m discovery resolve consul:///order
    python -m discovery watch consul:///order

Exit codes: 0, 1 where there is no usable instance, 2 where the registry can't be asked.
"""

import argparse
import asyncio
import json
import logging
import os
import random
import sys
from collections.abc import Sequence
from functools import partial
from typing import TextIO

from discovery.clock import Clock, SystemClock
from discovery.inspection import Finding, inspect, instance_as_json
from discovery.instance import Instance, Resolution
from discovery.registry import RegistryError, Watcher
from discovery.resolver import Resolver
from discovery.target import InvalidTargetError, Target, parse_target
from discovery.watchers import watcher_for

EXIT_USABLE = 0
EXIT_NO_INSTANCES = 1
EXIT_REGISTRY_DOWN = 2

_COLUMNS = ("ID", "ENDPOINT", "WEIGHT", "TAGS", "VERSION", "CHECK", "HEALTH")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    # What discovery would log, these commands print.
    logging.getLogger("discovery").addHandler(logging.NullHandler())
    parser = _parser()
    options = parser.parse_args(arguments)
    clock, rng = SystemClock(), random.Random()
    try:
        target = parse_target(options.target)
        watcher = watcher_for(target, clock=clock, rng=rng)
    except (InvalidTargetError, ValueError) as error:
        parser.error(str(error))
    try:
        if options.command == "resolve":
            found = inspect(target, watcher, timeout_s=options.timeout)
            return _print_findings(options.target, asyncio.run(found), as_json=options.json)
        asyncio.run(_watch(target, watcher, clock=clock, rng=rng, as_json=options.json))
    except RegistryError as error:
        sys.stderr.write(f"{options.target} can't be resolved: {error}\n")
        return EXIT_REGISTRY_DOWN
    except KeyboardInterrupt:
        pass
    return EXIT_USABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m discovery", description="What callers of a target see."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    resolve = commands.add_parser("resolve", help="list the instances of a target")
    resolve.add_argument(
        "--timeout", type=float, default=1.0, metavar="S", help="how long to wait for health"
    )
    watch = commands.add_parser("watch", help="follow the instances of a target until Ctrl-C")
    for command in (resolve, watch):
        command.add_argument("target", help="consul:///order, consul:///order?tag=v2, dns:///...")
        command.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _print_findings(target: str, findings: Sequence[Finding], *, as_json: bool) -> int:
    usable = any(finding.usable for finding in findings)
    if as_json:
        document = {"target": target, "instances": [finding.as_json() for finding in findings]}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    elif findings:
        sys.stdout.write(_table([_COLUMNS, *map(_row, findings)]))
    if not findings:
        sys.stderr.write(f"{target} has no instances.\n")
    elif not usable:
        sys.stderr.write(f"{target} has no instance that passes its check.\n")
    return EXIT_USABLE if usable else EXIT_NO_INSTANCES


def _row(finding: Finding) -> tuple[str, ...]:
    instance = finding.instance
    return (
        instance.instance_id,
        instance.endpoint,
        str(instance.weight),
        ",".join(instance.tags) or "-",
        instance.meta.get("version", "-"),
        finding.check,
        finding.health,
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines) + "\n"


async def _watch(
    target: Target, watcher: Watcher, *, clock: Clock, rng: random.Random, as_json: bool
) -> None:
    """Print every change for ever, as the registry tells it: nothing vanished is kept."""
    seen = Resolution(version=0, instances=())

    def publish(resolution: Resolution) -> None:
        nonlocal seen
        moment = clock.now().isoformat(timespec="milliseconds")
        describe = _change_as_json if as_json else _change
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
        # `| head` has seen enough. The interpreter's own last flush shall not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _change_as_json(moment: str, _: Resolution, after: Resolution) -> list[str]:
    document = {
        "at": moment,
        "version": after.version,
        "error": after.error,
        "instances": [instance_as_json(instance) for instance in after.instances],
    }
    return [json.dumps(document)]


def _change(moment: str, before: Resolution, after: Resolution) -> list[str]:
    """One line for each instance that came (+), went (-) or changed (~), and each failure (!)."""
    earlier = {instance.instance_id: instance for instance in before.instances}
    later = {instance.instance_id: instance for instance in after.instances}
    line = partial(_line, moment, len(later))
    lines = [line("-", gone) for key, gone in earlier.items() if key not in later]
    lines += [line("+", come) for key, come in later.items() if key not in earlier]
    lines += [line("~", now) for key, now in later.items() if earlier.get(key, now) != now]
    if after.error and after.error != before.error:
        lines.append(f"{moment}  !  {after.error}; {len(later)} instances stay as they are")
    elif before.error and not after.error:
        lines.append(f"{moment}  !  the registry answers again")
    elif not lines:
        lines.append(f"{moment}     no instances")
    return lines


def _line(moment: str, total: int, sign: str, instance: Instance) -> str:
    tags = f"  tags {','.join(instance.tags)}" if instance.tags else ""
    return (
        f"{moment}  {sign}  {instance.instance_id}  {instance.endpoint}"
        f"  weight {instance.weight}{tags}  ({total} now)"
    )


if __name__ == "__main__":
    sys.exit(main())
