"""What the edge really answers is what its OpenAPI document says."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import schemathesis
from google.protobuf import json_format
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.edge.contract.contract import read
from services.edge.contract.methods import PublicMethod
from tests.support.edge.public_suite import PublicSuite, public_suite

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTRACT = read()
METHODS = pytest.mark.parametrize("method", CONTRACT.methods, ids=lambda method: method.name)
CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]
# Few requests for each method: more would find what tests of the services look for.
FEW = settings(
    max_examples=5,
    phases=[Phase.generate],
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def public(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PublicSuite]:
    async with public_suite(tmp_path_factory.mktemp("edge")) as public:
        yield public


@pytest.fixture(scope="module")
def schema(public: PublicSuite) -> schemathesis.BaseSchema:
    made = schemathesis.openapi.from_dict(json.loads(CONTRACT.openapi))
    made.config.update(base_url=public.edge.url)
    return made


@METHODS
async def test_a_good_answer_has_the_promised_form(
    public: PublicSuite, schema: schemathesis.BaseSchema, method: PublicMethod
) -> None:
    """The answer to a request that names what exists fits the operation's schema."""
    fields = json_format.MessageToDict(public.good(method))
    in_path = {
        name: fields.pop(name)
        for name in (method.request.fields_by_name[each].json_name for each in method.variables)
    }
    operation = _operation(schema, method)
    case = operation.Case(
        path_parameters=in_path,
        **({"query": fields} if method.verb == "GET" else {"body": fields}),
        media_type="application/json",
    )
    response = await asyncio.to_thread(case.call)
    case.validate_response(response, checks=CHECKS)


@METHODS
async def test_any_answer_has_the_promised_form(
    public: PublicSuite, schema: schemathesis.BaseSchema, method: PublicMethod
) -> None:
    """Whatever fits the document is answered with a status, a media type and a body of it."""

    @FEW
    @given(case=_operation(schema, method).as_strategy())
    def check(case: schemathesis.Case) -> None:
        case.call_and_validate(checks=CHECKS)

    await asyncio.to_thread(check)


def _operation(schema: schemathesis.BaseSchema, method: PublicMethod) -> schemathesis.APIOperation:
    path = method.http_path
    for each in method.variables:
        path = path.replace(each, method.request.fields_by_name[each].json_name)
    return schema[path][method.verb]
