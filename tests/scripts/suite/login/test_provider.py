"""The development login: what an application gets, and what it is refused."""

from collections.abc import AsyncIterator
from itertools import count

import httpx2
import jwt
import pytest

from scripts.suite.issuer import AUDIENCE, ISSUER, Issuer
from scripts.suite.login.authorization_codes import LIFETIME_S, MAX_CODES
from scripts.suite.login.provider import login_provider
from tests.support.clock.manual_clock import ManualClock
from tests.support.login.logging_in import CONSOLE, SHOP, LoggingIn, buttons, sent_back

URL = "http://127.0.0.1:4000"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def login(clock: ManualClock) -> AsyncIterator[LoggingIn]:
    """A login at a provider that knows the shop and the console."""
    numbers = count()
    app = login_provider(
        URL,
        {client.client_id: client for client in (SHOP, CONSOLE)},
        issuer=Issuer(clock=clock),
        clock=clock,
        new_code=lambda: f"code-{next(numbers)}",
    )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=URL) as http:
        yield LoggingIn(http)


async def claims(login: LoggingIn, token: str, audience: str) -> dict[str, object]:
    """The claims of a token that one of the provider's published keys has signed."""
    keys = jwt.PyJWKSet.from_dict((await login.http.get("/jwks")).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    # The clock of the test stands still in another year.
    return jwt.decode(
        token, key, audience=audience, options={"verify_exp": False, "verify_nbf": False}
    )


def error(answer: httpx2.Response) -> tuple[int, str]:
    """The status and the error of a refused exchange."""
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, answer.json()["error"]


async def test_a_login_ends_with_the_token_that_services_take(login: LoggingIn) -> None:
    """The access token is for the services, and names person and role."""
    answer = await login.token(await login.code(person="CLERK carl"))

    told = answer.json()
    found = await claims(login, told["access_token"], AUDIENCE)
    assert (found["iss"], found["sub"], found["roles"]) == (ISSUER, "carl", ["CLERK"])
    assert (told["token_type"], told["expires_in"]) == ("Bearer", 3600)
    assert answer.headers["cache-control"] == "no-store"


async def test_the_id_token_is_for_the_application_and_carries_its_nonce(login: LoggingIn) -> None:
    """An application can tell that the token answers its own request."""
    answer = await login.token(await login.code())

    found = await claims(login, answer.json()["id_token"], SHOP.client_id)
    assert (found["iss"], found["sub"], found["nonce"]) == (URL, "ann", "n-1")


async def test_the_state_comes_back_with_the_code(login: LoggingIn) -> None:
    """The browser goes back to the registered address with what the application sent."""
    assert sent_back(await login.choose(person="CUSTOMER ann"))["state"] == ["s-1"]


async def test_the_page_offers_people_of_every_role_and_anybody_else(login: LoggingIn) -> None:
    """One can be a known customer, clerk or operator, or type a name."""
    page = (await login.page()).text

    assert {offer.split()[0] for offer in buttons(page)} == {"CUSTOMER", "CLERK", "OPERATOR"}
    assert "CUSTOMER 900" in buttons(page)
    answer = await login.token(await login.code(subject=" zoe ", role="CUSTOMER"))
    found = await claims(login, answer.json()["access_token"], AUDIENCE)
    assert (found["sub"], found["roles"]) == ("zoe", ["CUSTOMER"])


@pytest.mark.parametrize(
    ("form", "fault"),
    [
        ({"subject": "zoe", "role": "ADMIN"}, "role must be one of"),
        ({"subject": "", "role": "CLERK"}, "1 to 64 visible"),
        ({"subject": "z" * 65, "role": "CLERK"}, "1 to 64 visible"),
        ({"subject": "zoe the first", "role": "CLERK"}, "1 to 64 visible"),
        ({"person": "CUSTOMER"}, "1 to 64 visible"),
        ({}, "role must be one of"),
    ],
)
async def test_nobody_becomes_a_person_that_services_refuse(
    login: LoggingIn, form: dict[str, str], fault: str
) -> None:
    """A role that no contract names, or such a name, leads back to the page, which says why."""
    answer = await login.choose(**form)

    assert answer.status_code == 400
    assert fault in answer.text
    assert buttons(answer.text)


async def test_what_an_application_sends_is_text_on_the_page(login: LoggingIn) -> None:
    """A page of elsewhere writes no element into this one."""
    login.request["state"] = '"><script>alert(1)</script>'

    assert "<script" not in (await login.page()).text


async def test_the_page_may_be_framed_by_nobody_and_runs_no_script(login: LoggingIn) -> None:
    """The answer of the form may lead to the application, and nowhere else."""
    policy = (await login.page()).headers["content-security-policy"]

    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:8080;" in policy


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "stranger"},
        {"client_id": ""},
        {"redirect_uri": "http://127.0.0.1:8080/shop/login/callback/"},
        {"redirect_uri": "http://127.0.0.1:8080/shop/login/callback?x=1"},
        {"redirect_uri": "http://127.0.0.1:8080@evil.example/shop/login/callback"},
        {"redirect_uri": "HTTP://127.0.0.1:8080/shop/login/callback"},
        {"redirect_uri": CONSOLE.redirect_uris[0]},
        {"redirect_uri": ""},
    ],
)
async def test_nobody_is_sent_to_an_address_that_is_not_the_applications(
    login: LoggingIn, change: dict[str, str]
) -> None:
    """An unknown application or address gets a page, before the choice and after it."""
    login.request |= change

    for answer in (await login.page(), await login.choose(person="CUSTOMER ann")):
        assert answer.status_code == 400
        assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"code_challenge": "", "code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": ""}, "unsupported_response_type"),
        ({"scope": "email"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
        ({"nonce": "n" * 2_001}, "invalid_request"),
    ],
)
async def test_a_login_without_pkce_does_not_begin(
    login: LoggingIn, change: dict[str, str], refused: str
) -> None:
    """What the provider doesn't do is told to the application, with its state and no code."""
    login.request |= change

    for answer in (await login.page(), await login.choose(person="CUSTOMER ann")):
        told = sent_back(answer)
        assert (told["error"], told["state"]) == ([refused], ["s-1"])
        assert "code" not in told


async def test_a_parameter_that_is_given_twice_is_refused(login: LoggingIn) -> None:
    """Two readers of one request can't see different values."""
    twice = [*login.request.items(), ("state", "other")]

    answer = await login.http.get("/authorize", params=twice)

    assert sent_back(answer)["error"] == ["invalid_request"]


@pytest.mark.parametrize(
    "other",
    [
        {"code_verifier": "another-verifier-that-is-long-enough-to-be-one"},
        {"code_verifier": ""},
        {"code_verifier": "short"},
        {"code_verifier": "ü" * 43},
        {"redirect_uri": CONSOLE.redirect_uris[0]},
        {"redirect_uri": ""},
        {"client_id": CONSOLE.client_id},
    ],
)
async def test_a_stolen_code_is_worth_nothing(login: LoggingIn, other: dict[str, str]) -> None:
    """Without the verifier, address and application of the request it yields no token, ever."""
    code = await login.code()

    assert error(await login.token(code, **other)) == (400, "invalid_grant")
    assert error(await login.token(code)) == (400, "invalid_grant")


async def test_an_invented_code_is_refused(login: LoggingIn) -> None:
    """Only a code that was given out counts."""
    assert error(await login.token("code-1")) == (400, "invalid_grant")


async def test_a_code_works_once(login: LoggingIn) -> None:
    """A replayed code is refused."""
    code = await login.code()

    assert (await login.token(code)).status_code == 200
    assert error(await login.token(code)) == (400, "invalid_grant")


async def test_a_code_expires(login: LoggingIn, clock: ManualClock) -> None:
    """A code is good for a minute."""
    early, late = await login.code(), await login.code()

    await clock.advance(LIFETIME_S - 1)
    assert (await login.token(early)).status_code == 200
    await clock.advance(1)
    assert error(await login.token(late)) == (400, "invalid_grant")


async def test_codes_that_nobody_redeems_do_not_pile_up(login: LoggingIn) -> None:
    """Only the newest codes are kept."""
    oldest = await login.code()
    newest = [await login.code() for _ in range(MAX_CODES)][-1]

    assert error(await login.token(oldest)) == (400, "invalid_grant")
    assert (await login.token(newest)).status_code == 200


@pytest.mark.parametrize(
    ("other", "refused"),
    [
        ({"client_id": "stranger"}, (401, "invalid_client")),
        ({"client_id": ""}, (401, "invalid_client")),
        ({"grant_type": "password"}, (400, "unsupported_grant_type")),
    ],
)
async def test_the_code_outlives_a_request_that_is_no_exchange(
    login: LoggingIn, other: dict[str, str], refused: tuple[int, str]
) -> None:
    """An unknown application or another kind of grant is refused before the code is looked at."""
    code = await login.code()

    assert error(await login.token(code, **other)) == refused
    assert (await login.token(code)).status_code == 200


async def test_a_code_that_is_sent_twice_in_one_request_is_refused(login: LoggingIn) -> None:
    """The exchange, too, has each parameter once."""
    code = await login.code()
    body = f"grant_type=authorization_code&client_id=storefront&code={code}&code={code}"

    answer = await login.http.post(
        "/token", content=body, headers={"content-type": "application/x-www-form-urlencoded"}
    )

    assert error(answer) == (400, "invalid_request")


async def test_after_a_logout_people_go_to_registered_addresses_only(login: LoggingIn) -> None:
    """The logout is no open redirect."""
    home = {"post_logout_redirect_uri": SHOP.after_logout_uris[0], "state": "s-2"}
    elsewhere = {"post_logout_redirect_uri": "https://evil.example/"}

    sent = await login.http.get("/end_session", params=home)
    posted = await login.http.post("/end_session", data=home)
    kept = await login.http.get("/end_session", params=elsewhere)

    assert (
        sent.headers["location"]
        == posted.headers["location"]
        == f"{home['post_logout_redirect_uri']}?state=s-2"
    )
    assert (kept.status_code, "location" in kept.headers) == (200, False)
    assert "You are logged out" in kept.text


async def test_a_name_that_leads_to_this_machine_is_refused(login: LoggingIn) -> None:
    """A page of elsewhere can't use the login under a name of its own."""
    answer = await login.http.get("/jwks", headers={"host": "evil.example"})

    assert answer.status_code == 400


async def test_the_keys_are_public_halves(login: LoggingIn) -> None:
    """Nobody signs with what the provider publishes."""
    keys = (await login.http.get("/jwks")).json()["keys"]

    assert keys
    assert not any("d" in key for key in keys)
