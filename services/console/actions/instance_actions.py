"""Drains one instance."""

from tradepost.instance.v1.instance_service_pb2 import DrainInstanceRequest

from discovery import RegistryError
from services.console.actions.intention import Intention, InvalidFormError, known_service
from services.console.reading.asker import Asker
from services.console.reading.instance_calls import InstanceCalls


async def drain(instances: InstanceCalls, asker: Asker, intention: Intention) -> str:
    """End an instance as a stop signal does."""
    service = known_service(intention.value("service"))
    instance_id = intention.value("instance_id")
    request = DrainInstanceRequest(
        request_id=intention.of(instance_id), instance_id=instance_id, reason=intention.reason
    )
    try:
        async with instances.stub_of(service, instance_id) as stub:
            await asker.call(stub.DrainInstance, request)
    except RegistryError as error:
        raise InvalidFormError(f"The registry doesn't say where it is: {error}") from error
    return f"{instance_id} drains: it leaves the registry, finishes its calls, and ends."
