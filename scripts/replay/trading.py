"""Sends all customers through the tills while auditors read along and faults strike."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext

import grpc

from discovery.clock import Clock
from scripts.replay import books, census
from scripts.replay.auditor import Auditor
from scripts.replay.faults import Fault, Strike
from scripts.replay.follower import Follower
from scripts.replay.report import Report
from scripts.replay.rewinder import Rewinder, changes
from scripts.replay.saboteur import Saboteur
from scripts.replay.shoppers import Visit
from scripts.replay.tally import Tally
from scripts.replay.till import NeverSettledError, Till
from scripts.replay.turnstile import Turnstile
from scripts.suite.cluster import Cluster, StartError
from scripts.suite.stubs import Stubs

AUDITORS = 2
FOLLOWERS = 4
REST_TIMEOUT_S = 90.0


async def trade(
    suite: Cluster,
    stubs: Stubs,
    visits: Sequence[Visit],
    *,
    concurrency: int,
    clock: Clock,
    rng: random.Random,
    strikes: Sequence[Strike] = (),
    served: Callable[[Tally], None] = lambda _: None,
) -> Report:
    """Serve the visits, wait until everything rests, count. `served` hears of each visit.

    Raises StartError where the suite doesn't come back from a strike.
    """
    tally = Tally()
    rewinder = Rewinder(stubs.consumers, tally=tally, clock=clock, rng=rng)
    saboteur = Saboteur(suite, rewinder=rewinder, clock=clock)
    till = Till(stubs.orders, clock=clock, tally=tally)
    started_s = clock.monotonic()
    with _said_plainly():
        # Only where something breaks: without that, what is counted afterwards says the same.
        reading = _audited(stubs, visits, tally=tally, clock=clock, rng=rng)
        async with reading if strikes else nullcontext():
            turnstile = Turnstile(visits=len(visits), portions=len(strikes) + 1)
            queue = iter(visits)
            async with asyncio.TaskGroup() as busy:
                busy.create_task(saboteur.run(strikes, turnstile))
                for _ in range(concurrency):
                    busy.create_task(_serve(till, queue, turnstile, tally, served))
            elapsed_s = clock.monotonic() - started_s
            await _wait_for_rest(stubs, rewinder, clock)
    counted = await census.take(stubs, suite.mail)
    rewound: Sequence[books.Line] = ()
    if saboteur.done[Fault.REWIND]:
        await saboteur.rewind()
        behind = await _wait_for_rest(stubs, rewinder, clock)
        again = await census.take(stubs, suite.mail)
        rewound = tuple(changes(counted, again, behind=behind))
    return Report(
        tally=tally,
        elapsed_s=elapsed_s,
        faults=saboteur.done,
        books=(*books.check(counted, tally), *rewound),
        needs_review=sum(saga.needs_review for saga in counted.sagas),
    )


async def _wait_for_rest(stubs: Stubs, rewinder: Rewinder, clock: Clock) -> int:
    """How many rewound consumers are still behind; what else is unfinished, the books say."""
    behind = await rewinder.wait_caught_up(timeout_s=REST_TIMEOUT_S)
    await census.wait_for_rest(stubs, clock=clock, timeout_s=REST_TIMEOUT_S)
    return behind


async def _serve(
    till: Till,
    queue: Iterator[Visit],
    turnstile: Turnstile,
    tally: Tally,
    served: Callable[[Tally], None],
) -> None:
    for visit in queue:
        async with turnstile.visit():
            try:
                await till.serve(visit)
            except (NeverSettledError, grpc.aio.AioRpcError) as error:
                tally.broken_promises.append(f"request {visit.request_id}: {error}")
        served(tally)


@asynccontextmanager
async def _audited(
    stubs: Stubs, visits: Sequence[Visit], *, tally: Tally, clock: Clock, rng: random.Random
) -> AsyncIterator[None]:
    """Read along while the block runs."""
    skus = sorted({sku for visit in visits for sku, _ in visit.basket.lines})
    async with asyncio.TaskGroup() as group:
        readers = [
            Auditor(stubs, skus=skus, tally=tally, clock=clock, rng=_own(rng)).run()
            for _ in range(AUDITORS if skus else 0)
        ] + [
            Follower(stubs.orders, tally=tally, clock=clock, rng=_own(rng)).run()
            for _ in range(FOLLOWERS)
        ]
        reading = [group.create_task(reader) for reader in readers]
        yield
        for task in reading:
            task.cancel()


def _own(rng: random.Random) -> random.Random:
    """One for each reader: what they draw must not depend on who comes first."""
    return random.Random(rng.getrandbits(64))


@contextmanager
def _said_plainly() -> Iterator[None]:
    """A StartError as itself, out of the groups it was raised through.

    Python before 3.11.4 wraps what `except*` raises into a group once more.
    """
    try:
        yield
    except ExceptionGroup as errors:
        error: BaseException | None = errors.subgroup(StartError)
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error or errors from None
