"""Items with their stock: a page of the catalogue, one item, or those of a basket."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.storefront.composing.parts import Missing, part
from services.storefront.composing.shop_reader import ShopReader
from services.storefront.views.item_view import ItemView, item_views


@dataclass(frozen=True, slots=True)
class Shelf:
    """Items, the token of the next page, and whether their stock is known."""

    items: tuple[ItemView, ...]
    next_page_token: str = ""
    is_stock_known: bool = True


async def search(reader: ShopReader, *, query: str, size: int, page_token: str) -> Shelf:
    """Read a page of the items that match. Without the stock it is still worth showing."""
    page = await reader.items(query=query, size=size, page_token=page_token)
    stock = await part(reader.stock([item.sku for item in page.items]))
    return Shelf(
        item_views(page.items, _known(stock)),
        page.next_page_token,
        is_stock_known=not isinstance(stock, Missing),
    )


async def pick(reader: ShopReader, skus: Sequence[str]) -> Shelf:
    """Read those of the items that are sold."""
    if not skus:
        return Shelf(())
    page = await reader.items(skus=skus, size=len(skus))
    stock = await part(reader.stock(skus))
    return Shelf(
        item_views(page.items, _known(stock)), is_stock_known=not isinstance(stock, Missing)
    )


def _known(stock: Mapping[str, int] | Missing) -> Mapping[str, int]:
    return {} if isinstance(stock, Missing) else stock
