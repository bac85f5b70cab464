"""What `import discovery` offers, and what it costs."""

import inspect
import subprocess
import sys
import typing
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import pytest
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

import discovery

PURPOSES = {
    "to call a service": {
        *("open_channel", "Channel", "Target", "parse_target"),
        *("error_info", "ErrorInfo", "RefusalReason"),
        *("Explanation", "InstanceView", "BreakerView", "PickView", "TriedView"),
    },
    "to tell the errors apart": {
        *("InvalidMetadataError", "InvalidServiceConfigError", "InvalidTargetError"),
        "InvalidCertificatesError",
        *("LocalRefusalError", "NoInstanceError", "RegistryError"),
    },
    "to retry and bound the calls of any grpc.aio channel": {
        *("DeadlineInterceptor", "RetryInterceptor", "RetryPolicy", "RetryBudget"),
    },
    "to serve": {
        *("Instance", "Registration", "ConsulRegistry", "CheckSettings", "AgentAddress"),
        *("Freshness", "inherit_deadline", "bind_deadline", "deadline_of_time_remaining"),
        *("inherit_attempt_number", "bind_attempt_number", "attempt_number_of_metadata"),
    },
    "to call and serve over mutual TLS": {
        *("Certificates", "CertificateSource"),
        *("ConsulCertificates", "FileCertificates"),
    },
    "to write a registry": {"Registrar", "Watcher"},
    "to write a balancing policy": {"Policy", "Picker", "Candidate", "Load"},
    "to test": {"MemoryRegistry", "memory_registry", "Clock", "SystemClock"},
}


def test_every_public_name_has_a_purpose() -> None:
    """`__all__` is complete for each kind of user, contains nothing else, and is sorted."""
    needed = set().union(*PURPOSES.values())

    assert set(discovery.__all__) == needed
    assert discovery.__all__ == sorted(discovery.__all__)
    assert all(hasattr(discovery, name) for name in discovery.__all__)


@pytest.mark.parametrize("name", discovery.__all__)
def test_public_names_are_documented(name: str) -> None:
    """Each public class and function has a docstring of its own."""
    assert inspect.getdoc(getattr(discovery, name))


@pytest.mark.parametrize("name", discovery.__all__)
def test_signatures_of_public_names_use_public_names_only(name: str) -> None:
    """A program can name everything that it passes to this package or gets from it."""
    optional = {"MeterProvider": MeterProvider, "TracerProvider": TracerProvider}

    used = {
        type_name
        for function in functions_of(getattr(discovery, name))
        for hint in typing.get_type_hints(function, localns=optional).values()
        for type_name in own_types_in(hint)
    }

    assert used <= set(discovery.__all__)


def functions_of(public: Any) -> Iterator[FunctionType]:
    """A function itself, or the constructor, public methods and properties of a class."""
    if isinstance(public, FunctionType):
        yield public
        return
    for name, member in vars(public).items():
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        # A channel is made by `open_channel`, Consul's certificates by `fetch`.
        made_otherwise = (discovery.Channel, discovery.ConsulCertificates)
        is_constructor = name == "__init__" and public not in made_otherwise
        if isinstance(function, FunctionType) and (is_constructor or not name.startswith("_")):
            yield function


def own_types_in(hint: Any) -> Iterator[str]:
    """The names of this package's classes in a type hint."""
    for argument in typing.get_args(hint):
        yield from own_types_in(argument)
    if inspect.isclass(hint) and hint.__module__.startswith("discovery"):
        yield hint.__name__


def test_importing_discovery_loads_no_extra() -> None:
    """What only the extras `otel`, `cli`, `errors` and `tls` need is loaded where it is used."""
    program = (
        "import sys, discovery, discovery.blocking\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
        "print('google.rpc' in sys.modules)"
    )

    printed = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    loaded, google_rpc = printed.stdout.splitlines()

    assert "grpc" in loaded.split()
    assert not {"opentelemetry", "rich", "typer", "grpc_status", "cryptography"} & set(
        loaded.split()
    )
    assert google_rpc == "False"
