"""Who a blocking channel asks: ejection, panic, slow start, the other policies, what it says."""

import logging
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from grpc import StatusCode

from discovery.blocking.native import is_ready
from discovery.blocking.subchannel import Subchannel
from discovery.registry.instance import Instance
from tests.discovery.blocking.conftest import OpenBlocking, StartBeside
from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.blocking.manual_readiness import HandClock, of, post, ready
from tests.support.discovery.probe_service import NOT_SERVING, SERVING, Probe, Refusal, path

ROUND_ROBIN: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
BROKEN = Refusal(StatusCode.INTERNAL)


class Listed:
    """A registry that lists what it is given, and then nothing new."""

    def __init__(self, *instances: Instance) -> None:
        self._instances = instances

    async def watch(
        self, service: str, *, tag: str | None = None
    ) -> AsyncGenerator[tuple[Instance, ...], None]:
        yield self._instances

    async def lookup(self, service: str, *, tag: str | None = None) -> tuple[Instance, ...]:
        return self._instances


def test_an_instance_that_went_silent_is_left_alone(
    start: StartBeside, open_to: OpenBlocking
) -> None:
    """Even where the other looked slower, and before any call has run out of time."""
    silent, well = start("silent"), start("well")
    clock = HandClock()
    clock.stands_at_s = 100.0
    channel = open_to(silent, well, clock=clock)
    ready(channel, 2)
    of(channel, well).load.observe(0.5, clock.monotonic())
    silent.gate.clear()
    owed = channel.unary_unary(path("Get")).future(b"x")
    assert of(channel, silent).load.in_flight == 1

    clock.ahead_s += 1.0

    assert post(channel, 5) == ["well"] * 5
    owed.cancel()


def test_an_instance_that_fails_is_left_out_until_a_probe_succeeds(
    start: StartBeside, open_to: OpenBlocking, caplog: pytest.LogCaptureFixture
) -> None:
    """Five failures in a row eject; one call tells when it is well; each is a line in the log."""
    caplog.set_level(logging.INFO, "discovery.balancing.ejector")
    broken, good = start("broken"), start("good")
    clock = HandClock()
    clock.stands_at_s = 100.0
    channel = open_to(broken, good, service_config=ROUND_ROBIN, clock=clock)
    ready(channel, 2)
    broken.script.extend([BROKEN] * 6)

    assert post(channel, 10).count("-") == 5
    assert post(channel, 10) == ["good"] * 10

    clock.ahead_s += 5.0
    assert post(channel, 5) == ["-", *["good"] * 4]

    clock.ahead_s += 10.0
    assert set(post(channel, 4)) == {"broken", "good"}
    assert of(channel, broken).record.ejection is None
    told = [
        each.getMessage() for each in caplog.records if each.name == "discovery.balancing.ejector"
    ]
    assert [" is ejected " in line for line in told] == [True, True, False]


def test_one_probe_for_all_threads(start: StartBeside, open_to: OpenBlocking) -> None:
    """However many call in the instant in which an ejection is over."""
    broken, good = start("broken"), start("good")
    clock = HandClock()
    clock.stands_at_s = 100.0
    channel = open_to(broken, good, service_config=ROUND_ROBIN, clock=clock)
    ready(channel, 2)
    broken.script.extend([BROKEN] * 1000)
    post(channel, 10)
    before = len(broken.seen)

    clock.ahead_s += 5.0
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: post(channel, 1), range(64)))

    assert answers.count(["-"]) == 1
    assert len(broken.seen) == before + 1


def test_with_one_of_two_down_the_other_is_used_though_ejected(
    start: StartBeside, open_to: OpenBlocking, background: Background
) -> None:
    """Panic: fewer than 50 % usable lift ejections; what says NOT_SERVING stays out."""
    broken, other = start("broken", health=SERVING), start("other", health=SERVING)
    channel = open_to(broken, other, service_config=ROUND_ROBIN)
    ready(channel, 2)
    broken.script.extend([BROKEN] * 5)
    post(channel, 10)
    assert of(channel, broken).record.ejection is not None

    background.run(other.say(NOT_SERVING))
    while of(channel, other).state is grpc.ChannelConnectivity.READY:
        pass

    assert post(channel, 3) == ["broken"] * 3
    assert channel.explain().panic


def test_a_new_instance_starts_slowly(
    start: StartBeside, open_to: OpenBlocking, background: Background
) -> None:
    """A tenth of its weight at first, all of it 30 s later; meanwhile the old one carries on."""
    old, new = start("old", health=SERVING), start("new", health=NOT_SERVING)
    clock = HandClock()
    clock.stands_at_s = 100.0
    weighted: dict[str, Any] = {"loadBalancingConfig": [{"weighted": {}}]}
    channel = open_to(old, new, service_config=weighted, clock=clock)
    ready(channel, 1)
    clock.ahead_s += 100.0
    background.run(new.say(SERVING))
    ready(channel, 2)

    shares = {one.endpoint: one.share for one in channel.explain().instances}
    assert (shares[old.address], shares[new.address]) == (1.0, 0.1)
    assert post(channel, 100).count("new") < 25

    clock.ahead_s += 30.0
    assert {one.share for one in channel.explain().instances} == {1.0}
    assert post(channel, 100).count("new") > 25


def test_pick_first_and_who_stands_by(
    start: StartBeside, open_to: OpenBlocking, background: Background
) -> None:
    """All calls go to the first of the list, and to the next while that one doesn't serve."""
    servers = sorted(
        (start(name, health=SERVING) for name in "ab"), key=lambda probe: probe.address
    )
    channel = open_to(*servers, service_config={"loadBalancingConfig": [{"pick_first": {}}]})
    ready(channel, 2)

    assert post(channel, 5) == [servers[0].name] * 5
    background.run(servers[0].say(NOT_SERVING))
    while of(channel, servers[0]).state is grpc.ChannelConnectivity.READY:
        pass
    assert post(channel, 5) == [servers[1].name] * 5


def test_weights_of_the_registry(start: StartBeside, open_to: OpenBlocking) -> None:
    """Nine get nine calls where one gets one."""
    servers = [start("heavy"), start("light")]
    listed = Listed(servers[0].instance(weight=9), servers[1].instance(weight=1))
    config: dict[str, Any] = {"loadBalancingConfig": [{"weighted": {}}]}
    channel = open_to(*servers, service_config=config, watcher=listed)
    ready(channel, 2)

    answers = post(channel, 200)

    assert answers.count("heavy") > 160
    assert answers.count("light") > 5


def test_what_cannot_be_repeated_is_sent_on_what_stands(
    start: StartBeside,
    open_to: OpenBlocking,
    background: Background,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection that has ended is not picked for an unsafe call, though nobody told us yet."""
    gone, there = sorted(
        (start(name, health=SERVING) for name in "ab"), key=lambda probe: probe.address
    )
    channel = open_to(gone, there, service_config={"loadBalancingConfig": [{"pick_first": {}}]})
    ready(channel, 2)
    # The thread that watches it says nothing, as one that isn't scheduled for a while.
    monkeypatch.setattr(Subchannel, "_broke", lambda _subchannel, _code: None)

    background.run(gone.stop())
    while is_ready(of(channel, gone)._native):
        pass

    assert of(channel, gone).state is grpc.ChannelConnectivity.READY
    assert post(channel, 10) == [there.name] * 10


def test_it_says_who_is_ejected_and_why(start: StartBeside, open_to: OpenBlocking) -> None:
    """With the last picks and the breakers, the newest first."""
    broken, good = start("broken"), start("good")
    channel = open_to(broken, good, service_config=ROUND_ROBIN)
    ready(channel, 2)
    broken.script.extend([BROKEN] * 5)
    post(channel, 10)

    explanation = channel.explain()

    bad, well = (
        next(one for one in explanation.instances if one.endpoint == probe.address)
        for probe in (broken, good)
    )
    assert (bad.state, bad.health, bad.ejected) == ("READY", "SERVING", "5 failures in a row")
    assert (bad.calls, bad.failures, bad.ejections) == (5, 5, 1)
    assert (well.ejected, well.calls, well.failures, well.in_flight) == (None, 5, 0, 0)
    assert {pick.method for pick in explanation.picks} == {path("Post")}
    (breaker,) = explanation.breakers
    assert (breaker.attempts, breaker.accepted, breaker.refusing) == (10, 5, False)


def test_before_its_first_call_there_is_nothing_to_say(open_to: OpenBlocking) -> None:
    """And asking opens nothing."""
    probe = Probe("nobody", port=1)
    channel = open_to(probe)

    explanation = channel.explain(try_picks=3)

    assert (explanation.state, explanation.instances, explanation.picks) == ("IDLE", (), ())
    assert not channel._process_states


def test_a_closed_channel_can_be_explained(start: StartBeside, open_to: OpenBlocking) -> None:
    """It is SHUTDOWN, and picks nothing."""
    channel = open_to(start("a"))
    ready(channel, 1)
    channel.close()

    assert channel.explain(try_picks=3).state == "SHUTDOWN"


def test_what_is_known_of_an_instance_outlasts_its_listing(
    start: StartBeside, open_to: OpenBlocking
) -> None:
    """By id and incarnation: a flapping registration heals nothing."""
    broken, good = start("broken"), start("good")
    channel = open_to(broken, good, service_config=ROUND_ROBIN)
    ready(channel, 2)
    broken.script.extend([BROKEN] * 5)
    post(channel, 10)
    balancer: Any = channel.process_state().balancer
    listed = balancer._resolution
    only_good = tuple(one for one in listed.instances if one.endpoint == good.address)

    balancer.update(type(listed)(7, only_good))
    balancer.update(listed)
    ready(channel, 2)

    assert post(channel, 6) == ["good"] * 6
