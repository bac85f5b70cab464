"""What a person opens in a browser, and whom they may be there."""

from collections.abc import Iterator

from scripts.suite.secure.call_graph import CONSOLE, STOREFRONT
from scripts.suite.secure.credentials import Credentials
from scripts.suite.web.running_pages import SuitePages


def lines_to_open(
    pages: SuitePages, *, customer_id: str | None, credentials: Credentials | None
) -> Iterator[str]:
    """Lines to print; the customer is one who has orders, if there is one."""
    known = f", or as somebody else: {customer_id} has orders" if customer_id else ""
    yield f"the shop: {pages.url(STOREFRONT)} (log in as the customer ann, who is new{known})"
    yield f"the console: {pages.url(CONSOLE)} (log in as the operator olga, or as the clerk carl)"
    if credentials is not None:
        authority = credentials.public_files.roots
        yield f"  the browser warns until it trusts {authority}; go on, this is your own machine"
