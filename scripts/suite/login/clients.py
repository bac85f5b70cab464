"""The applications that may send people to this login, and where to it sends them back."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class LoginClient:
    """An application by its client id. Addresses count only letter for letter.

    People go back to one of `redirect_uris` after the login, and to one of `after_logout_uris`
    after the logout. It has no secret: PKCE proves that who fetches a token asked for the login.
    """

    client_id: str
    redirect_uris: tuple[str, ...]
    after_logout_uris: tuple[str, ...] = ()


def to_json(clients: Iterable[LoginClient]) -> str:
    """The applications as the text of a setting."""
    return json.dumps([asdict(client) for client in clients])


def from_json(text: str) -> Mapping[str, LoginClient]:
    """The applications of such a text, by their client ids."""
    clients = (
        LoginClient(
            each["client_id"], tuple(each["redirect_uris"]), tuple(each["after_logout_uris"])
        )
        for each in json.loads(text)
    )
    return {client.client_id: client for client in clients}
