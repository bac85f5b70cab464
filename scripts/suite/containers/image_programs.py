"""Runs the programs of slots in containers, one for each slot."""

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from scripts.suite.containers import bundle
from scripts.suite.processes.slot import ProcessSlot
from scripts.suite.run_folder import StartError
from scripts.tools.commands import SetupError
from scripts.tools.shipping import container_programs, image
from scripts.tools.shipping.container_programs import runc
from scripts.tools.shipping.image import Image


@dataclass(frozen=True, slots=True)
class ImagePrograms:
    """The programs of an image; their containers share the `data` of the run in `folder`.

    A slot's process is the runc that waits for the container and ends with its status. The kernel
    sends it SIGTERM when this program ends, which it passes on, so that no container stays.
    """

    image: Image
    folder: Path

    @property
    def name(self) -> str:
        """What people call it."""
        return f"the image {self.image.name}"

    def has(self, service: str) -> bool:
        """Whether the image has the service."""
        return (self.image.root / self.image.folder.lstrip("/") / "services" / service).is_dir()

    def start(self, slot: ProcessSlot, log: BinaryIO) -> subprocess.Popen[bytes]:
        """Start a container that runs a slot's module."""
        folder, data = self._bundle(slot), self.folder / "data"
        folder.mkdir(parents=True, exist_ok=True)
        self._process_id(slot).unlink(missing_ok=True)
        os.chown(data, self.image.user, self.image.user)
        bundle.write(
            folder, self.image, module=slot.module, environment=slot.environment, data=data
        )
        return subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "TERM", runc(), "--root", self.folder / "containers"),
                *("run", "--bundle", folder, "--pid-file", self._process_id(slot)),
                f"{slot.name}-{os.getpid()}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def send(self, slot: ProcessSlot, number: signal.Signals) -> None:
        """Send a signal to the program in the container; one that starts is ended with its runc."""
        try:
            os.kill(int(self._process_id(slot).read_text()), number)
        except FileNotFoundError:
            if slot.process is not None:
                slot.process.send_signal(number)
        except ProcessLookupError:
            pass

    def _bundle(self, slot: ProcessSlot) -> Path:
        return self.folder / "bundles" / slot.name

    def _process_id(self, slot: ProcessSlot) -> Path:
        return self._bundle(slot) / "process-id"


def image_programs(folder: Path) -> ImagePrograms:
    """The programs of the current image, which is built if it must be. Raises StartError."""
    why_not = container_programs.refusal()
    if why_not is not None:
        raise StartError(why_not)
    try:
        return ImagePrograms(image.ensure_built(), folder.absolute())
    except SetupError as error:
        raise StartError(f"the image can't be built: {error}") from error
