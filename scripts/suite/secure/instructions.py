"""What a person types to call a secure suite: tokens for each role, and lines to try."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from scripts.suite.secure.call_graph import OPERATOR
from scripts.suite.secure.credentials import Credentials, Tls, roles

# A household of the baskets.
CUSTOMER_ID = "900"
_CUSTOMER = "CUSTOMER"
_CONTRACTS = Path("generated", "contracts.binpb")
_GRPCURL = Path(".tools", "bin", "grpcurl")
_PYTHON = Path(".venv", "bin", "python")
_LIST_ORDERS = "tradepost.order.v1.OrderService/ListOrders"


def instructions(credentials: Credentials, endpoint: str, *, consul: str) -> Iterator[str]:
    """Lines to print: they hold tokens, and call the order instance at `endpoint`.

    Paths are those of the checkout, in which the lines work.
    """
    yield f"Secrets (readable by you alone): {credentials.folder}"
    yield "Tokens, valid for an hour; `./scripts/run token --help` makes others:"
    for role in roles():
        subject = _subject(role)
        yield f"  {role} {subject}: {credentials.issuer.token(subject, role)}"
    token_file = shlex.quote(str(credentials.consul_token_file(OPERATOR)))
    yield "For `python -m discovery` and Consul's own tools, and what the instances say:"
    yield f"  export CONSUL_HTTP_ADDR={consul} CONSUL_HTTP_TOKEN_FILE={token_file}"
    yield f"  {resolve(credentials)}"
    if credentials.tls is Tls.FILES:
        yield "Reflection is off, so grpcurl reads the contracts from a file:"
        yield f"  {grpcurl(credentials, endpoint)}"
    else:
        yield "grpcurl can't check Consul's certificates, which have no DNS name: use"
        yield "`--secure files` to try it."


def resolve(credentials: Credentials) -> str:
    """The command that lists the instances of the order service with the health of each."""
    files = credentials.certificate_files(OPERATOR)
    shown = (
        ["--consul-certificate", OPERATOR]
        if credentials.tls is Tls.CONSUL
        else [
            *("--certificate-file", str(files.certificate)),
            *("--key-file", str(files.key)),
            *("--roots-file", str(files.roots)),
        ]
    )
    return shlex.join([str(_PYTHON), "-m", "discovery", "resolve", *shown, "consul:///order"])


def grpcurl(credentials: Credentials, endpoint: str) -> str:
    """The command that lists a customer's orders at an instance of the order service."""
    files = credentials.certificate_files(OPERATOR)
    return " ".join(
        (
            shlex.join(
                [
                    str(_GRPCURL),
                    *("-cacert", str(files.roots)),
                    *("-cert", str(files.certificate)),
                    *("-key", str(files.key)),
                    *("-authority", "order"),
                    *("-protoset", str(_CONTRACTS)),
                ]
            ),
            f'-H "authorization: Bearer {customer_token(credentials)}"',
            shlex.join(["-d", f'{{"customer_id": "{CUSTOMER_ID}"}}', endpoint, _LIST_ORDERS]),
        )
    )


def customer_token(credentials: Credentials) -> str:
    """The token of a customer as a shell substitutes it."""
    run = ["./scripts/run", "token", "--subject", CUSTOMER_ID, "--role", _CUSTOMER]
    return f"$({shlex.join([*run, '--folder', str(credentials.folder.parent)])})"


def _subject(role: str) -> str:
    return CUSTOMER_ID if role == _CUSTOMER else f"{role.lower()}-1"
