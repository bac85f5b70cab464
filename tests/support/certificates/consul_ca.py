"""Changes the root of a Consul agent's certificate authority."""

import aiohttp
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.discovery.consul_agent import ConsulAgent


async def rotate_root(agent: ConsulAgent) -> None:
    """Have the agent make a new root, signed by the old one too, from a new key."""
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    settings = {
        "Provider": "consul",
        "Config": {
            "PrivateKey": key.decode(),
            "IntermediateCertTTL": "8760h",
            "LeafCertTTL": "72h",
            "RotationPeriod": "2160h",
        },
    }
    url = f"http://{agent.address}/v1/connect/ca/configuration"
    async with aiohttp.ClientSession() as session, session.put(url, json=settings) as answer:
        assert answer.status == 200, await answer.text()
