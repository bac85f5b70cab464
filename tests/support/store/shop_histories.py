"""Random histories of the shop's writes.

A violation of a constraint is never mended by a later write: a batch checks constraints at its end.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from services.chassis.log.event_table import COUNTER, STREAM_HEADS
from services.chassis.request import request_ids
from services.chassis.store.unit.needs import Need
from services.chassis.work import lease_table
from tests.support.store import shop_statements as own
from tests.support.store import shop_steps as steps
from tests.support.store.shop_steps import Step
from tests.support.store.shop_tables import (
    BADGES,
    BASKETS,
    ENTRY_RANKS,
    ITEMS,
    ITEMS_BY_SHELF,
    LINES,
    PRICES,
)

UNREADABLE = ("\ud800", "\0")


@dataclass(frozen=True, slots=True)
class Do:
    """A step and its arguments."""

    step: Step
    args: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"{getattr(self.step, '__name__', self.step)}{self.args}"


@dataclass(frozen=True, slots=True)
class Write:
    """The steps of one write; at its end it raises an error if it `fails`."""

    steps: tuple[Do, ...]
    fails: bool = False
    names: str = "needs"
    is_cancelled: bool = False
    owner: str = "ann"
    second: int = 0

    def needs(self) -> tuple[Need, ...]:
        """What the write says it will read."""
        named = tuple(need for do in self.steps for need in needs_of(do))
        match self.names:
            case "needs":
                return named
            case "nothing":
                return ()
            case "others":
                return (ITEMS.need("beer"), LINES.need("red"), PRICES.need(("east", "beer")))
            case "further":
                return tuple(Need(need.of, need.key, _further) for need in named)
            case "broken":
                return (*named, ITEMS.need("milk", _broken))
            case "no key":
                return (PRICES.need(7), *named)
            case unreadable:
                return (*named, ITEMS.need(unreadable))


def needs_of(do: Do) -> Sequence[Need]:
    """What a step reads by key."""
    named = _NEEDS.get(do.step)
    return () if named is None else named(*do.args)


def _further(found: Sequence[tuple[Any, ...]]) -> tuple[Need, ...]:
    """The lines of the baskets, or the items, whose keys begin the rows that were found."""
    return tuple(of.need(str(row[0])) for row in found for of in (ITEMS, LINES))


def _broken(_: Sequence[tuple[Any, ...]]) -> tuple[Need, ...]:
    raise LookupError


_NEEDS: Mapping[Step, Callable[..., Sequence[Need]]] = {
    steps.put_item: lambda item, *_: (ITEMS.need(item),),
    steps.drop_item: lambda item: (ITEMS.need(item),),
    steps.look_at_shelf: lambda shelf: (ITEMS_BY_SHELF.need(shelf),),
    steps.set_price: lambda region, sku, _: (PRICES.need((region, sku)),),
    steps.drop_price: lambda region, sku: (PRICES.need((region, sku)),),
    steps.put_basket: lambda basket, _: (BASKETS.need(basket), LINES.need(basket)),
    steps.put_line: lambda basket, *_: (BASKETS.need(basket), LINES.need(basket)),
    steps.put_lines: lambda basket, _: (BASKETS.need(basket), LINES.need(basket)),
    steps.drop_basket: lambda basket: (BASKETS.need(basket), LINES.need(basket)),
    steps.add_entry: lambda account, _: (ENTRY_RANKS.need(account),),
    steps.append: lambda stream, *_: (COUNTER.need(1), STREAM_HEADS.need(stream)),
    steps.open_lease: lambda subject, *_: (lease_table.need_of(subject),),
    steps.use_lease: lambda subject, *_: (lease_table.need_of(subject),),
    steps.ask: lambda request_id, _: (request_ids.need_of("Ask", request_id),),
    own.restock: lambda shelf: (ITEMS_BY_SHELF.need(shelf),),
    own.put_badge: lambda badge, _: (BADGES.need(badge),),
}

_ITEM = st.sampled_from(("milk", "tea", "rye"))
_SHELF = st.sampled_from(("low", "high"))
_REGION = st.sampled_from(("north", "south"))
# Those that are added are never deleted, or a later write would mend what the second one violates.
_NEW_BASKET = st.sampled_from(("green", "gold", "grey", "pink"))
_BASKET = st.sampled_from(("red", "blue"))
_STREAM = st.sampled_from(("order", "stock", "parcel"))
_SUBJECT = st.sampled_from(("cart", "van"))
_FEW = st.integers(0, 3)
_OFF = st.sampled_from((0, 0, 0, 1, -1))
_VERB = st.sampled_from(("progress", "postpone", "renew", "release", "close"))


def _do(step: Step, *args: st.SearchStrategy[Any]) -> st.SearchStrategy[Do]:
    return st.builds(Do, st.just(step), st.tuples(*args))


KEYED = st.one_of(
    _do(steps.put_item, _ITEM, _SHELF, _FEW),
    _do(steps.drop_item, _ITEM),
    _do(steps.look_at_shelf, _SHELF),
    _do(steps.set_price, _REGION, _ITEM, _FEW),
    _do(steps.replace_price, _REGION, _ITEM, _FEW),
    _do(steps.drop_price, _REGION, _ITEM),
    _do(steps.add_basket, _NEW_BASKET),
    _do(steps.put_basket, _BASKET, st.sampled_from(("ann", "bob"))),
    _do(steps.put_line, _BASKET, _FEW, _ITEM),
    _do(steps.put_lines, _BASKET, st.lists(_ITEM, max_size=3)),
    _do(steps.drop_basket, _BASKET),
    _do(steps.add_entry, st.sampled_from(("cash", "card")), _ITEM),
    _do(own.put_badge, st.sampled_from("abc"), st.sampled_from("xy")),
)
CHASSIS = st.one_of(
    _do(steps.append, _STREAM, _FEW, _OFF),
    _do(steps.append_each, _FEW, _OFF),
    _do(steps.read_events, _STREAM),
    _do(steps.open_lease, _SUBJECT, st.sampled_from(("us", "nobody"))),
    _do(steps.claim_lease, _SUBJECT),
    _do(steps.claim_due),
    _do(steps.use_lease, _SUBJECT, _VERB, st.sampled_from((0, 0, 1))),
    _do(steps.ask, st.sampled_from(("one", "two")), st.sampled_from(("this", "that"))),
)
OWN = st.one_of(
    _do(own.count_items),
    _do(own.list_lines),
    _do(own.restock, _SHELF),
    _do(own.raise_prices, _ITEM),
    _do(own.add_own_entry, st.sampled_from(("cash", "card"))),
    _do(own.clear_lines, _BASKET),
)
WRONG = st.one_of(
    _do(own.violate),
    _do(own.violate_and_go_on),
    _do(own.put_below_zero),
    _do(own.count_carefully),
    _do(own.put_second_label),
    _do(own.put_no_cents),
    _do(own.put_line_of_nobody),
    _do(own.drop_kept_basket),
    _do(own.add_no_text),
    _do(own.put_nul),
    _do(own.read_unreadable, st.sampled_from(UNREADABLE)),
)


def _writes(some: st.SearchStrategy[Do], *, fails: bool = False) -> st.SearchStrategy[Write]:
    names = ("needs", "needs", "needs", "nothing", "others", "further")
    return st.builds(
        Write,
        st.lists(some, min_size=1, max_size=4).map(tuple),
        fails=st.just(fails),
        names=st.sampled_from(names),
        owner=st.sampled_from(("ann", "bob")),
        second=st.integers(0, 30),
    )


GOOD = _writes(KEYED | CHASSIS)
RARE = st.one_of(
    _writes(KEYED | CHASSIS | OWN),
    _writes(KEYED | CHASSIS, fails=True),
    _writes(KEYED | CHASSIS | OWN, fails=True),
    _writes(KEYED | CHASSIS | OWN | WRONG),
    st.builds(
        Write,
        st.lists(KEYED | OWN, min_size=1, max_size=2).map(tuple),
        names=st.sampled_from(("broken", "no key", *UNREADABLE)),
    ),
    GOOD.map(lambda write: replace(write, is_cancelled=True)),
)
# Most writes of a service are good, so most of a batch's are.
HISTORIES = st.lists(st.one_of(GOOD, GOOD, GOOD, RARE), min_size=1, max_size=12)
