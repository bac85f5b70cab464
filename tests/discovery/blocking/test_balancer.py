"""A blocking channel picks by the same rules: ejection, panic, slow start and the policies."""

import logging
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import grpc
import pytest
from grpc import StatusCode

from discovery.registry.instance import Instance, Resolution
from tests.discovery.blocking.conftest import OpenBlocking, StartInBackground
from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.blocking.manual_readiness import (
    AdjustableClock,
    post,
    ready,
    subchannel_of,
)
from tests.support.discovery.probe_service import (
    NOT_SERVING,
    SERVING,
    Probe,
    Refusal,
    path,
)

ROUND_ROBIN: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
BROKEN = Refusal(StatusCode.UNAVAILABLE)


class Listed:
    """A registry that returns one list and never changes it."""

    def __init__(self, *instances: Instance) -> None:
        self._instances = instances

    async def watch(
        self, service: str, *, tag: str | None = None
    ) -> AsyncGenerator[tuple[Instance, ...], None]:
        yield self._instances

    async def lookup(self, service: str, *, tag: str | None = None) -> tuple[Instance, ...]:
        return self._instances


def test_an_instance_that_does_not_answer_is_not_picked(
    start: StartInBackground, open_to: OpenBlocking, background: Background
) -> None:
    """Another instance is picked even if it was slower, and before any call
    reached its deadline.
    """
    silent, well = start("silent"), start("well")
    clock = AdjustableClock()
    clock.stands_at_s = 100.0
    channel = open_to(silent, well, clock=clock)
    ready(channel, 2)
    subchannel_of(channel, well).load.observe(0.5, clock.monotonic())
    silent.gate.clear()
    unanswered = channel.unary_unary(path("Get")).future(b"x")
    background.run(silent.wait_for_calls(1))
    assert subchannel_of(channel, silent).load.in_flight == 1

    clock.ahead_s += 1.0

    assert post(channel, 5) == ["well"] * 5
    unanswered.cancel()


def test_a_failing_instance_is_ejected_until_a_probe_succeeds(
    start: StartInBackground, open_to: OpenBlocking, caplog: pytest.LogCaptureFixture
) -> None:
    """Five failures in a row eject an instance, one probe readmits it, and both are logged."""
    caplog.set_level(logging.INFO, "discovery.balancing.ejector")
    broken, good = start("broken"), start("good")
    clock = AdjustableClock()
    clock.stands_at_s = 100.0
    channel = open_to(broken, good, service_config=ROUND_ROBIN, clock=clock)
    ready(channel, 2)
    broken.script.extend([BROKEN] * 6)

    assert post(channel, 10).count("-") == 5
    assert post(channel, 10) == ["good"] * 10

    clock.ahead_s += 5.0
    # Explaining picks without a call, and leaves the probe to the next call.
    before = channel.explain().picks
    explanation = channel.explain(try_picks=3)
    assert sum(one.picks for one in explanation.tried) == 3
    assert [pick.method for pick in explanation.picks] == [pick.method for pick in before]
    assert post(channel, 5) == ["-", *["good"] * 4]

    clock.ahead_s += 10.0
    assert set(post(channel, 4)) == {"broken", "good"}
    assert subchannel_of(channel, broken).record.ejection is None
    messages = [
        each.getMessage() for each in caplog.records if each.name == "discovery.balancing.ejector"
    ]
    assert [" is ejected " in line for line in messages] == [True, True, False]


def test_one_probe_for_all_threads(start: StartInBackground, open_to: OpenBlocking) -> None:
    """When an ejection ends, one probe is sent, however many threads call at that moment."""
    broken, good = start("broken"), start("good")
    clock = AdjustableClock()
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


def test_panic_lifts_ejections(
    start: StartInBackground, open_to: OpenBlocking, background: Background
) -> None:
    """With fewer than 50 % usable, ejections are lifted; NOT_SERVING instances stay out."""
    broken, other = start("broken", health=SERVING), start("other", health=SERVING)
    channel = open_to(broken, other, service_config=ROUND_ROBIN)
    ready(channel, 2)
    broken.script.extend([BROKEN] * 5)
    post(channel, 10)
    assert subchannel_of(channel, broken).record.ejection is not None

    background.run(other.set_health(NOT_SERVING))
    while subchannel_of(channel, other).state is grpc.ChannelConnectivity.READY:
        pass

    assert post(channel, 3) == ["broken"] * 3
    assert channel.explain().panic


def test_a_new_instance_starts_slowly(
    start: StartInBackground, open_to: OpenBlocking, background: Background
) -> None:
    """A new instance begins with a tenth of its weight and has all of it 30 s later."""
    old, new = start("old", health=SERVING), start("new", health=NOT_SERVING)
    clock = AdjustableClock()
    clock.stands_at_s = 100.0
    weighted: dict[str, Any] = {"loadBalancingConfig": [{"weighted": {}}]}
    channel = open_to(old, new, service_config=weighted, clock=clock)
    ready(channel, 1)
    clock.ahead_s += 100.0
    background.run(new.set_health(SERVING))
    ready(channel, 2)

    shares = {one.endpoint: one.share for one in channel.explain().instances}
    assert (shares[old.address], shares[new.address]) == (1.0, 0.1)
    assert post(channel, 100).count("new") < 25

    clock.ahead_s += 30.0
    assert {one.share for one in channel.explain().instances} == {1.0}
    assert post(channel, 100).count("new") > 25


def test_pick_first(
    start: StartInBackground, open_to: OpenBlocking, background: Background
) -> None:
    """All calls go to the first instance of the list, or to the next while it doesn't serve."""
    servers = sorted(
        (start(name, health=SERVING) for name in "ab"), key=lambda probe: probe.address
    )
    channel = open_to(*servers, service_config={"loadBalancingConfig": [{"pick_first": {}}]})
    ready(channel, 2)

    assert post(channel, 5) == [servers[0].name] * 5
    background.run(servers[0].set_health(NOT_SERVING))
    while subchannel_of(channel, servers[0]).state is grpc.ChannelConnectivity.READY:
        pass
    assert post(channel, 5) == [servers[1].name] * 5


def test_weights_of_the_registry(start: StartInBackground, open_to: OpenBlocking) -> None:
    """An instance of weight nine gets nine calls for one call of an instance of weight one."""
    servers = [start("heavy"), start("light")]
    listed = Listed(servers[0].instance(weight=9), servers[1].instance(weight=1))
    config: dict[str, Any] = {"loadBalancingConfig": [{"weighted": {}}]}
    channel = open_to(*servers, service_config=config, watcher=listed)
    ready(channel, 2)

    answers = post(channel, 200)

    assert answers.count("heavy") > 160
    assert answers.count("light") > 5


def test_an_id_that_moves_to_another_port(
    start: StartInBackground, open_to: OpenBlocking, background: Background
) -> None:
    """Calls to the new port of an id don't keep the old connection open."""
    old, new = start("old"), start("new")
    channel = open_to(old)
    (before,) = ready(channel, 1)
    balancer = channel.process_state().balancer
    get = channel.unary_unary(path("Get"))
    old.gate.clear()
    new.gate.clear()
    last = get.future(b"x")
    background.run(old.wait_for_calls(1))

    balancer.update(Resolution(2, (replace(before.instance, port=new.port),)))
    ready(channel, 1)
    first = get.future(b"x")
    background.run(new.wait_for_calls(1))
    background.loop.call_soon_threadsafe(old.gate.set)

    assert last.result(60) == b"old:x"
    with balancer.changed:
        assert balancer.changed.wait_for(lambda: not balancer._draining, 60)
    background.loop.call_soon_threadsafe(new.gate.set)
    assert first.result(60) == b"new:x"


def test_explain_lists_ejections_with_reasons(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """`explain()` has ejections, breakers and the last picks, the newest first."""
    broken, good = start("broken"), start("good")
    channel = open_to(broken, good, service_config=ROUND_ROBIN)
    ready(channel, 2)
    broken.script.extend([Refusal(StatusCode.UNAVAILABLE)] * 5)
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


def test_explain_before_the_first_call_is_empty(open_to: OpenBlocking) -> None:
    """Before the first call `explain()` is empty and opens nothing."""
    probe = Probe("absent", port=1)
    channel = open_to(probe)

    explanation = channel.explain(try_picks=3)

    assert (explanation.state, explanation.instances, explanation.picks) == ("IDLE", (), ())
    assert explanation.tried == ()
    assert not channel._process_states


def test_a_closed_channel_can_be_explained(start: StartInBackground, open_to: OpenBlocking) -> None:
    """The explanation of a closed channel is SHUTDOWN, without picks."""
    channel = open_to(start("a"))
    ready(channel, 1)
    channel.close()

    assert channel.explain(try_picks=3).state == "SHUTDOWN"


def test_an_ejection_outlasts_the_listing(start: StartInBackground, open_to: OpenBlocking) -> None:
    """An instance that is unlisted and listed again is still ejected."""
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
