"""Every RPC of the inventory service, over gRPC and on a real database."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tradepost.inventory.v1 import inventory_service_pb2 as rpc
from tradepost.inventory.v1 import item_pb2
from tradepost.inventory.v1 import reservation_pb2 as pb
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub
from tradepost.type.v1.money_pb2 import Money

from tests.support.inventory.inventory_in_memory import new_request_id, ord_, reserve, rsv, upsert

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def stocks(stub: InventoryServiceAsyncStub, **units: int) -> None:
    """Make items that cost 1.00 each."""
    items = [upsert(sku, count) for sku, count in units.items()]
    await stub.UpsertItems(rpc.UpsertItemsRequest(request_id=new_request_id(), items=items))


async def level(stub: InventoryServiceAsyncStub, sku: str) -> tuple[int, int, int, int]:
    """On hand, held, committed, available."""
    stock = (await stub.GetStock(rpc.GetStockRequest(sku=sku))).stock
    return stock.on_hand_count, stock.held_count, stock.committed_count, stock.available_count


async def test_items_are_listed_by_sku_and_page_by_page(
    grpc_stub: InventoryServiceAsyncStub,
) -> None:
    """Pages list each item once, even if others are added meanwhile."""
    await stocks(grpc_stub, item_a=1, item_b=1, item_c=1)
    first = await grpc_stub.ListItems(rpc.ListItemsRequest(page_size=2))
    await stocks(grpc_stub, item_aa=1, item_d=1)
    seen = [item.sku for item in first.items]
    token = first.next_page_token
    while token:
        page = await grpc_stub.ListItems(rpc.ListItemsRequest(page_size=2, page_token=token))
        seen += [item.sku for item in page.items]
        token = page.next_page_token

    assert seen == sorted(set(seen))
    assert {"item_a", "item_b", "item_c", "item_d"} <= set(seen)


async def skus_found(stub: InventoryServiceAsyncStub, **wanted: Any) -> list[str]:
    """The SKUs that ListItems finds, page by page."""
    request = rpc.ListItemsRequest(page_size=1, **wanted)
    seen: list[str] = []
    while True:
        page = await stub.ListItems(request)
        seen += [item.sku for item in page.items]
        if not page.next_page_token:
            return seen
        request.page_token = page.next_page_token


async def test_items_are_found_by_a_part_of_their_name_or_sku(
    grpc_stub: InventoryServiceAsyncStub,
) -> None:
    """Upper and lower case are the same; a character that means something to SQL is itself."""
    names = {
        "find_1": "Oat MILK",
        "find_2": "Milk chocolate",
        "find_3": "100% cocoa",
        "milk_4": "?",
    }
    items = [upsert(sku, 1, name=name) for sku, name in names.items()]
    await grpc_stub.UpsertItems(rpc.UpsertItemsRequest(request_id=new_request_id(), items=items))

    found = {query: await skus_found(grpc_stub, query=query) for query in ("milk", "0%", "d_3")}

    assert found == {"milk": ["find_1", "find_2", "milk_4"], "0%": ["find_3"], "d_3": ["find_3"]}
    assert await skus_found(grpc_stub, query="milk", skus=["find_2", "find_3"]) == ["find_2"]


async def test_items_are_read_by_their_skus(grpc_stub: InventoryServiceAsyncStub) -> None:
    """Each is listed once, sorted by SKU; unknown ones are left out."""
    await stocks(grpc_stub, these_a=1, these_b=1, these_c=1)

    skus = ["these_c", "unicorn", "these_a", "these_c"]

    assert await skus_found(grpc_stub, skus=skus) == ["these_a", "these_c"]


async def test_stock_is_read_one_by_one_many_at_once_and_as_a_list(
    grpc_stub: InventoryServiceAsyncStub,
) -> None:
    """All three reads return the same levels; unknown SKUs of a batch are listed."""
    await stocks(grpc_stub, stock_a=3, stock_b=4)
    adjusted = await grpc_stub.AdjustStock(
        rpc.AdjustStockRequest(
            request_id=new_request_id(), sku="stock_a", delta=-1, reason="broken"
        )
    )

    batch = await grpc_stub.BatchGetStock(
        rpc.BatchGetStockRequest(skus=["stock_b", "nowhere", "stock_a"])
    )
    listed = await grpc_stub.ListStock(rpc.ListStockRequest(page_size=1000))

    assert await level(grpc_stub, "stock_a") == (2, 0, 0, 2)
    assert [stock.sku for stock in batch.stock] == ["stock_b", "stock_a"]
    assert batch.unknown_skus == ["nowhere"]
    assert adjusted.stock == batch.stock[1]
    assert list(batch.stock)[::-1] == [
        stock for stock in listed.stock if stock.sku.startswith("stock_")
    ]


async def test_a_reservation_from_hold_to_door(grpc_stub: InventoryServiceAsyncStub) -> None:
    """Each answer on the way to fulfilment is what a later read returns."""
    await stocks(grpc_stub, walk=5)
    held = (await grpc_stub.ReserveStock(reserve("100", walk=2))).reservation
    assert held.state == pb.RESERVATION_STATE_HELD
    assert await level(grpc_stub, "walk") == (5, 2, 0, 3)
    committed = await grpc_stub.CommitReservation(
        rpc.CommitReservationRequest(request_id=new_request_id(), reservation_id=rsv("100"))
    )
    assert committed.reservation.state == pb.RESERVATION_STATE_COMMITTED
    fulfilled = await grpc_stub.FulfillReservation(
        rpc.FulfillReservationRequest(request_id=new_request_id(), reservation_id=rsv("100"))
    )

    read = await grpc_stub.GetReservation(rpc.GetReservationRequest(reservation_id=rsv("100")))

    assert read.reservation == fulfilled.reservation
    assert read.reservation.state == pb.RESERVATION_STATE_FULFILLED
    assert await level(grpc_stub, "walk") == (3, 0, 0, 3)


async def test_a_replay_says_that_it_is_one(grpc_stub: InventoryServiceAsyncStub) -> None:
    """A repeated request gets the same answer, marked as replayed in the trailing metadata."""
    await stocks(grpc_stub, replayed=5)
    request = reserve("110", replayed=2)
    first = grpc_stub.ReserveStock(request)
    again = grpc_stub.ReserveStock(request)

    assert await first == await again
    marks = [dict(await call.trailing_metadata()) for call in (first, again)]
    assert [mark.get("tradepost-replayed") for mark in marks] == [None, "true"]
    assert await level(grpc_stub, "replayed") == (5, 2, 0, 3)


async def test_a_crowd_never_buys_more_than_there_is(
    grpc_stub: InventoryServiceAsyncStub,
) -> None:
    """Concurrent reserves of the last units succeed exactly as often as there are units."""
    await stocks(grpc_stub, rare=7)
    answers = await asyncio.gather(
        *(grpc_stub.ReserveStock(reserve(str(200 + number), rare=1)) for number in range(20))
    )

    states = [answer.reservation.state for answer in answers]
    assert states.count(pb.RESERVATION_STATE_HELD) == 7
    assert states.count(pb.RESERVATION_STATE_REJECTED) == 13
    assert await level(grpc_stub, "rare") == (7, 7, 0, 0)


async def test_only_validating_writes_nothing(grpc_stub: InventoryServiceAsyncStub) -> None:
    """validate_only returns prices and shortages, and changes nothing."""
    await stocks(grpc_stub, glanced=3)
    before = await grpc_stub.ListStockMovements(rpc.ListStockMovementsRequest(sku="glanced"))
    fits = rpc.ReserveStockRequest(
        lines=[rpc.ReserveLine(sku="glanced", quantity=2)], validate_only=True
    )
    short = rpc.ReserveStockRequest(
        lines=[rpc.ReserveLine(sku="glanced", quantity=4)], validate_only=True
    )

    could = (await grpc_stub.ReserveStock(fits)).reservation
    could_not = (await grpc_stub.ReserveStock(short)).reservation

    assert (could.state, could.reservation_id, could.version) == (pb.RESERVATION_STATE_HELD, "", 0)
    assert could.total == Money(currency_code="USD", minor_units=200)
    assert could_not.state == pb.RESERVATION_STATE_REJECTED
    assert could_not.refusal.reason == pb.RESERVATION_REFUSAL_REASON_INSUFFICIENT_STOCK
    assert could_not.total.minor_units == 400
    after = await grpc_stub.ListStockMovements(rpc.ListStockMovementsRequest(sku="glanced"))
    assert after == before
    assert await level(grpc_stub, "glanced") == (3, 0, 0, 3)


async def test_a_release_before_its_reserve_leaves_a_tombstone(
    grpc_stub: InventoryServiceAsyncStub,
) -> None:
    """A release that comes before its reserve fences the reserve."""
    await stocks(grpc_stub, fenced=3)
    released = await grpc_stub.ReleaseReservation(
        rpc.ReleaseReservationRequest(
            request_id=new_request_id(), reservation_id=rsv("300"), order_id=ord_("300")
        )
    )

    late = await grpc_stub.ReserveStock(reserve("300", fenced=1))

    assert released.reservation.state == pb.RESERVATION_STATE_RELEASED
    assert late.reservation.refusal.reason == pb.RESERVATION_REFUSAL_REASON_RESERVATION_FENCED
    assert await level(grpc_stub, "fenced") == (3, 0, 0, 3)


async def test_reservations_are_listed_by_state_and_order_the_oldest_first(
    grpc_stub: InventoryServiceAsyncStub,
) -> None:
    """Reservations are filtered by state and order; without filters, all are listed."""
    await stocks(grpc_stub, listed=3)
    for number in range(400, 405):
        await grpc_stub.ReserveStock(reserve(str(number), listed=1))
    states = [pb.RESERVATION_STATE_HELD, pb.RESERVATION_STATE_REJECTED]

    found: list[pb.Reservation] = []
    token = ""
    while token or not found:
        page = await grpc_stub.ListReservations(
            rpc.ListReservationsRequest(states=states, page_size=2, page_token=token)
        )
        found += page.reservations
        token = page.next_page_token
    of_one = await grpc_stub.ListReservations(rpc.ListReservationsRequest(order_id=ord_("402")))
    not_so = await grpc_stub.ListReservations(
        rpc.ListReservationsRequest(order_id=ord_("402"), states=[pb.RESERVATION_STATE_RELEASED])
    )

    mine = [each.order_id for each in found if each.order_id >= ord_("400")]
    assert mine == [ord_(str(number)) for number in range(400, 405)]
    assert len({each.reservation_id for each in found}) == len(found)
    assert [each.reservation_id for each in of_one.reservations] == [rsv("402")]
    assert not not_so.reservations
    everything = await grpc_stub.ListReservations(rpc.ListReservationsRequest(page_size=1000))
    times = [each.create_time.ToMicroseconds() for each in everything.reservations]
    assert times == sorted(times)
    assert len(everything.reservations) >= len(found)


async def test_the_ledger_is_listed_by_item_and_by_reservation(
    grpc_stub: InventoryServiceAsyncStub,
) -> None:
    """Movements are listed in the order in which they were written."""
    await stocks(grpc_stub, moved_a=3, moved_b=3)
    await grpc_stub.ReserveStock(reserve("500", moved_a=1, moved_b=2))

    first = await grpc_stub.ListStockMovements(
        rpc.ListStockMovementsRequest(sku="moved_b", page_size=1)
    )
    second = await grpc_stub.ListStockMovements(
        rpc.ListStockMovementsRequest(sku="moved_b", page_size=1, page_token=first.next_page_token)
    )
    of_order = await grpc_stub.ListStockMovements(
        rpc.ListStockMovementsRequest(reservation_id=rsv("500"))
    )

    kinds = [first.movements[0].kind, second.movements[0].kind]
    assert kinds == [item_pb2.STOCK_MOVEMENT_KIND_INITIAL, item_pb2.STOCK_MOVEMENT_KIND_HELD]
    assert second.next_page_token == ""
    assert [(each.sku, each.held_delta) for each in of_order.movements] == [
        ("moved_a", 1),
        ("moved_b", 2),
    ]
    assert second.movements[0].sequence == of_order.movements[1].sequence


async def test_health_knows_the_service_by_its_full_name(grpc_channel: grpc.aio.Channel) -> None:
    """Health and reflection use the service name of the contract."""
    stub = health_pb2_grpc.HealthStub(grpc_channel)
    request = health_pb2.HealthCheckRequest(service="tradepost.inventory.v1.InventoryService")

    answer = await stub.Check(request)  # type: ignore[attr-defined]  # the stubs know no methods

    assert answer.status == health_pb2.HealthCheckResponse.SERVING
