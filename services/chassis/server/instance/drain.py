"""Ends this instance for an operator: serves tradepost.instance.v1.InstanceService.

The audit record is committed before the drain begins, so an instance never ends without one.
"""

from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection
from tradepost.instance.v1 import instance_service_pb2 as pb
from tradepost.instance.v1 import instance_service_pb2_grpc

from discovery.registry.instance import Instance
from services.chassis.identity import caller
from services.chassis.log.audit_log import AuditedWrites
from services.chassis.request.context import Context
from services.chassis.request.errors import NotImplementedYetError
from services.chassis.request.idempotent_writes import StoredResponse
from services.chassis.request.request_ids import mark_replayed
from services.chassis.request.validation import Check
from services.chassis.server.errors import NotThisInstanceError
from services.chassis.telemetry import logs

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["InstanceService"].full_name
MAX_INSTANCE_ID_CHARACTERS = 500


class InstanceDrain:
    """Ends one process. `begin_stop` begins what a stop signal begins; it may be called again."""

    def __init__(
        self, instance: Instance, *, begin_stop: Callable[[], object], audited: AuditedWrites
    ) -> None:
        self._instance = instance
        self._begin_stop = begin_stop
        self._audited = audited
        self._log = logs.get_logger("instance")

    async def drain(self, request: pb.DrainInstanceRequest) -> StoredResponse:
        """Write the audit record, then begin the stop.

        A repetition that reaches the process that said it would end begins the stop again, because
        the first call may not have learned that it was committed. Raises InvalidRequestError,
        RequestIdReusedError and NotThisInstanceError.
        """
        check = Check()
        request_id = check.uuid("request_id", request.request_id)
        check.text("instance_id", request.instance_id, max_len=MAX_INSTANCE_ID_CHARACTERS)
        check.reason(request.reason, required=True)
        check.done()
        done = await self._audited(request_id, request, partial(self._drain, request=request))
        if done.replayed and done.response == self._answer():
            self._begin_stop()
        return done

    def _drain(self, _: Connection, *, request: pb.DrainInstanceRequest) -> StoredResponse:
        if request.instance_id != self._instance.instance_id:
            raise NotThisInstanceError(
                asked=request.instance_id, instance_id=self._instance.instance_id
            )
        begin = partial(self._begin, caller.current().actor)
        return StoredResponse(self._answer(), after_commit=(begin,))

    def _answer(self) -> bytes:
        return pb.DrainInstanceResponse(
            instance_id=self._instance.instance_id, incarnation=self._instance.incarnation
        ).SerializeToString()

    def _begin(self, actor: str) -> None:
        self._log.info("drain_asked", actor=actor)
        self._begin_stop()


class InstanceServicer(instance_service_pb2_grpc.InstanceServiceServicer):
    """Serves InstanceService; what isn't a program of its own answers UNIMPLEMENTED."""

    def __init__(self, served: InstanceDrain | None) -> None:
        self._served = served

    async def DrainInstance(
        self, request: pb.DrainInstanceRequest, context: Context
    ) -> pb.DrainInstanceResponse:
        """End this instance."""
        if self._served is None:
            raise NotImplementedYetError("InstanceService.DrainInstance")
        done = await self._served.drain(request)
        if done.replayed:
            mark_replayed(context)
        return pb.DrainInstanceResponse.FromString(done.response)
