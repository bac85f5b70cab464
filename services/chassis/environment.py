"""Reads settings from environment variables. An error is one line that names the variable."""

import os
import re
from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import AfterValidator, ValidationError
from pydantic_settings import BaseSettings

from discovery.registry.target import parse_target
from services.chassis.telemetry import logs
from services.chassis.telemetry.url_secrets import hidden_in_value

# Kubernetes sets NAME_PORT=tcp://10.96.0.12:50051 in every pod next to a Service called "name",
# unless the pod sets the variable itself.
_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://")
_VALUE_ERROR = "Value error, "

Settings = TypeVar("Settings", bound=BaseSettings)


class SettingError(Exception):
    """A variable has a value that can never be right; the service must not start with it."""

    def __init__(self, variable: str, cause: str) -> None:
        super().__init__(f"{variable}: {cause}")
        self.variable = variable
        self.cause = cause


def _checked_target(text: str) -> str:
    parse_target(text)
    return text


def _checked_host(text: str) -> str:
    """A host's name or address; of `[::1]`, the address without brackets."""
    host = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if ":" in host:
        try:
            IPv6Address(host)
        except ValueError as error:
            raise ValueError(
                "must be a name or an address without a port, such as 10.0.0.7 or ::1"
            ) from error
    elif set(host) & set("/[] \t"):
        raise ValueError("must be a name or an address, such as 10.0.0.7 or ::1")
    return host


TargetSetting: TypeAlias = Annotated[str, AfterValidator(_checked_target)]
HostSetting: TypeAlias = Annotated[str, AfterValidator(_checked_host)]


def read(kind: type[Settings]) -> Settings:
    """Read the settings of one kind from the environment. Raises SettingError.

    A port that Kubernetes set for a Service of the same name is ignored, with a warning.
    """
    try:
        return kind(**_without_service_links(kind))
    except ValidationError as error:
        raise _setting_error(kind, error) from error


def variables_of(kind: type[BaseSettings]) -> Mapping[str, str]:
    """Return the environment variable of each field."""
    prefix = kind.model_config.get("env_prefix", "")
    return {
        name: str(field.validation_alias or f"{prefix}{name}".upper())
        for name, field in kind.model_fields.items()
    }


def forget_empty(prefix: str) -> None:
    """Unset the empty variables whose name begins so, for a library that takes "" for a value."""
    for name in [name for name, value in os.environ.items() if not value]:
        if name.startswith(prefix):
            del os.environ[name]


def _without_service_links(kind: type[BaseSettings]) -> dict[str, Any]:
    """Return the defaults of the fields whose variable Kubernetes has set."""
    defaults = {}
    for name, variable in variables_of(kind).items():
        value = os.environ.get(variable, "")
        if variable.endswith("_PORT") and _SERVICE_LINK.match(value):
            logs.get_logger("settings").warning(
                "setting_ignored",
                setting=variable,
                value=value,
                cause="Kubernetes sets it in pods next to a Service of this name; set a number, or"
                " enableServiceLinks: false",
            )
            defaults[name] = kind.model_fields[name].default
    return defaults


def _setting_error(kind: type[BaseSettings], error: ValidationError) -> SettingError:
    """Name the first wrong variable; the others follow in the cause."""
    first, *others = [_fault(kind, dict(fault)) for fault in error.errors(include_url=False)]
    variable, cause = first
    more = (f"{variable}: {cause}" for variable, cause in others)
    return SettingError(variable, "; ".join((cause, *more)))


def _fault(kind: type[BaseSettings], fault: Mapping[str, Any]) -> tuple[str, str]:
    """The variable and the cause of one fault. The value is left out if it may be a secret."""
    message = str(fault["msg"]).removeprefix(_VALUE_ERROR)
    if not fault["loc"]:
        # A rule over several fields: its text begins with the variable.
        variable, _, cause = message.partition(": ")
        return variable, cause
    variables = variables_of(kind)
    place = str(fault["loc"][0])
    name = next((name for name, variable in variables.items() if place in (name, variable)), place)
    if fault["type"] == "missing":
        return variables.get(name, place), "must be set"
    value, shown = fault["input"], name in variables and kind.model_fields[name].repr
    if isinstance(value, str):
        # A rule's own text may repeat the value.
        message = message.replace(value, hidden_in_value(value))
        value = hidden_in_value(value)
    found = f", not {value!r}" if shown else ""
    return variables.get(name, place), f"{message[:1].lower()}{message[1:]}{found}"
