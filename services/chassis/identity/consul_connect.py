"""Gets certificates and intentions from Consul, and waits for an agent that is not there yet."""

import os
import random
import re

from discovery.clock import Clock
from discovery.errors import InvalidCertificatesError
from discovery.registry.consul.agent_address import AgentAddress
from discovery.registry.consul.consul_certificates import ConsulCertificates
from discovery.registry.consul.intentions import ConsulIntentions
from discovery.registry.protocols import RegistryError
from services.chassis.environment import SettingError
from services.chassis.telemetry import logs

RETRY_S = 2.0
_ADDRESS = "CONSUL_HTTP_ADDR"
_VARIABLE = re.compile(r"CONSUL_\w+")


def agent_address(authority: str = "") -> AgentAddress:
    """Return the agent that the variables of Consul's own tools name. Raises SettingError."""
    try:
        return AgentAddress.from_environment(os.environ, authority=authority)
    except ValueError as error:
        named = _VARIABLE.search(str(error))
        raise SettingError(named[0] if named else _ADDRESS, str(error)) from error


async def from_consul(
    service: str, *, clock: Clock, rng: random.Random
) -> tuple[ConsulCertificates, ConsulIntentions]:
    """Return the certificates of `service`, and the intentions about who may call it.

    While the agent doesn't answer or refuses, it tries again every two seconds and logs why, until
    it is cancelled. Raises SettingError for what time doesn't mend.
    """
    address = agent_address()
    intentions = ConsulIntentions(service, address, clock=clock, rng=rng)
    while True:
        try:
            certificates = await ConsulCertificates.fetch(
                service, address=address, clock=clock, rng=rng
            )
            await intentions.load()
        except InvalidCertificatesError as error:
            raise SettingError("TRADEPOST_TLS", str(error)) from error
        except RegistryError as error:
            logs.get_logger("identity").warning(
                "waiting_for_consul", setting=_ADDRESS, cause=str(error), retry_s=RETRY_S
            )
            await clock.sleep(RETRY_S)
        else:
            return certificates, intentions
