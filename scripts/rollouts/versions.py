"""The versions of a rollout, and the slots in which instances of them are started."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from scripts.suite.cluster import Cluster
from scripts.suite.slot import THIS_INSTALLATION, ProcessSlot, Programs

SERVICE = "order"
NONE: Mapping[str, str] = MappingProxyType({})
_BAD = "scripts.rollouts.bad_versions"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the order service: `module` of `programs`."""

    name: str
    programs: Programs = THIS_INSTALLATION
    module: str = f"services.{SERVICE}"


# What the options call them: this checkout, and it with a fault.
VERSIONS: Mapping[str, Version] = MappingProxyType(
    {
        "good": Version("good"),
        "failing": Version("5 % failing", module=f"{_BAD}.failing"),
        "slow": Version("2x slower", module=f"{_BAD}.slow"),
        "paying-twice": Version("paying twice", module=f"{_BAD}.paying_twice"),
    }
)


def slots_of(suite: Cluster) -> list[ProcessSlot]:
    """The slots of the service that is rolled out."""
    return [slot for slot in suite.slots if slot.service == SERVICE]


def beside(
    suite: Cluster, version: Version, number: int, settings: Mapping[str, str] = NONE
) -> ProcessSlot:
    """A slot for one more instance, with the settings of the others and some of its own."""
    first = slots_of(suite)[0]
    name = f"{SERVICE}-{number}"
    named = {"TRADEPOST_INSTANCE_ID": name, "PGAPPNAME": name}
    return replace(
        first,
        number=number,
        module=version.module,
        programs=version.programs,
        log=first.log.with_name(f"{name}.log"),
        environment={**first.environment, **settings, **named},
        process=None,
    )
