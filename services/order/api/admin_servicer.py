"""The RPCs of SagaAdminService: list the unfinished sagas, and retry one."""

from tradepost.order.admin.v1 import saga_admin_service_pb2 as rpc
from tradepost.order.admin.v1 import saga_admin_service_pb2_grpc

from discovery.clock import Clock
from services.chassis.request.context import Context
from services.chassis.request.request_ids import mark_replayed
from services.chassis.store.database import Database
from services.order.api.use_cases import OrderUseCases
from services.order.store.saga_listing import SagaListing
from services.order.wire import queries, requests


class SagaAdminServicer(saga_admin_service_pb2_grpc.SagaAdminServiceServicer):
    """tradepost.order.admin.v1.SagaAdminService; its contract says what each method does."""

    def __init__(
        self, *, database: Database, sagas: SagaListing, use_cases: OrderUseCases, clock: Clock
    ) -> None:
        self._database = database
        self._sagas = sagas
        self._use_cases = use_cases
        self._clock = clock

    async def ListSagas(
        self, request: rpc.ListSagasRequest, context: Context
    ) -> rpc.ListSagasResponse:
        query = queries.list_sagas(request, self._clock.now())
        sagas = await self._database.read(self._sagas.page, query)
        page = queries.saga_page(request, query, sagas)
        return rpc.ListSagasResponse(sagas=page.rows, next_page_token=page.next_page_token)

    async def GetSaga(self, request: rpc.GetSagaRequest, context: Context) -> rpc.GetSagaResponse:
        saga = await self._database.read(self._sagas.get, queries.get_saga(request))
        return rpc.GetSagaResponse(saga=saga)

    async def RetrySaga(
        self, request: rpc.RetrySagaRequest, context: Context
    ) -> rpc.RetrySagaResponse:
        retried = await self._use_cases.retry(request, requests.retry_saga(request))
        if retried.replayed:
            mark_replayed(context)
        return rpc.RetrySagaResponse.FromString(retried.response)
