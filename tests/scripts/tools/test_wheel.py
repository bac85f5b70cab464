"""`pip install tradepost` gives an application the stubs and discovery, and little besides."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts.tools.paths import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from the checkout as it is."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
    subprocess.run([*build, str(folder)], cwd=ROOT, check=True, capture_output=True)
    (path,) = Path(folder).glob("*.whl")
    return zipfile.ZipFile(path)


def test_three_dependencies(wheel: zipfile.ZipFile) -> None:
    """The wheel requires grpcio, protobuf and py-consul; everything else is an extra."""
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    fields = wheel.read(metadata).decode().partition("\n\n")[0].splitlines()
    required = [field for field in fields if field.startswith("Requires-Dist:")]
    always = sorted(field.split()[1] for field in required if "extra ==" not in field)

    names = [requirement.partition("<")[0].partition(">")[0] for requirement in always]

    assert names == ["grpcio", "protobuf", "py-consul[asyncio]"]


def test_only_discovery_and_the_stubs(wheel: zipfile.ZipFile) -> None:
    """The wheel contains discovery and the stubs only, both typed."""
    names = wheel.namelist()

    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}

    assert tops == {"discovery", "tradepost"}
    assert {"discovery/py.typed", "tradepost/py.typed"} <= set(names)
    assert "tradepost/order/v1/order_service_pb2_grpc.pyi" in names


def test_every_extra_is_for_what_the_wheel_contains(wheel: zipfile.ZipFile) -> None:
    """No extra promises servers, scripts or tests, which only the checkout has."""
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    lines = wheel.read(metadata).decode().splitlines()
    extras = {line.split()[1] for line in lines if line.startswith("Provides-Extra:")}

    assert extras == {"cli", "dns", "errors", "otel", "tls", "typing"}
