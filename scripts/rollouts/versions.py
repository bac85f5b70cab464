"""The versions of a rollout, and the slots in which instances of them are started."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from scripts.releases.revision_checkout import RevisionError, commit_of, ensure_set_up
from scripts.rollouts.bad_versions.faults import FAILING, FAULT, PAYING_TWICE, SLOW
from scripts.suite.cluster import Cluster
from scripts.suite.processes.slot import THIS_INSTALLATION, ProcessSlot, Programs
from scripts.suite.run_folder import StartError

SERVICE = "order"
NONE: Mapping[str, str] = MappingProxyType({})
_BAD = "scripts.rollouts.bad_versions"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the order service: `module` of `programs`, with settings of its own."""

    name: str
    programs: Programs = THIS_INSTALLATION
    module: str = f"services.{SERVICE}"
    settings: Mapping[str, str] = field(default_factory=lambda: NONE, hash=False)


def _with_fault(name: str, fault: str) -> Version:
    return Version(name, module=_BAD, settings=MappingProxyType({FAULT: fault}))


# What the options call them: this checkout, and it with a fault.
VERSIONS: Mapping[str, Version] = MappingProxyType(
    {
        "good": Version("good"),
        FAILING: _with_fault("5 % failing", FAILING),
        SLOW: _with_fault("2x slower", SLOW),
        PAYING_TWICE: _with_fault("paying twice", PAYING_TWICE),
    }
)


def version_of(revision: str | None) -> Version:
    """The version of a commit, or this checkout's; takes minutes if the commit is new here.

    Raises StartError.
    """
    if revision is None:
        return VERSIONS["good"]
    try:
        commit = commit_of(revision)
        return Version(commit, ensure_set_up(commit))
    except RevisionError as error:
        raise StartError(f"--from: {error}") from error


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
        environment={**first.environment, **version.settings, **settings, **named},
        process=None,
    )
