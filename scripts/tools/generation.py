"""`scripts/generate`: writes the committed files that are derived from other files.

buf and protoc generate `generated/` from `protos/`: the stubs, and all contracts as one descriptor
set with their comments, which the edge reads. The table of folders in ARCHITECTURE.md is computed
from the source. Everything is made in a temporary folder and compared with the
committed files. Only files that differ are written (or, with `--check`, reported), so a test that
imports the stubs at the same time never finds an empty folder.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.tools import folder_table, setup, stub_compiler
from scripts.tools.commands import SetupError
from scripts.tools.paths import ROOT, buf_path, tool_environment

GENERATED = ROOT / "generated"
# Without this file, mypy treats the installed stubs as untyped.
TYPE_MARKER = Path("tradepost/py.typed")
# A google.protobuf.FileDescriptorSet. Generated Python code has no comments in its descriptors.
DESCRIPTOR_SET = Path("contracts.binpb")


def main() -> int:
    """Write what is out of date; with `--check`, only report it."""
    parser = argparse.ArgumentParser(prog="./scripts/generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail on a difference")
    check = parser.parse_args().check
    setup.ensure_all()
    try:
        return bring_up_to_date(check=check)
    except SetupError as error:
        print(f"generate: {error}", file=sys.stderr)
        return 1


def bring_up_to_date(*, check: bool) -> int:
    """Write what differs, or with `check` only report it; 1 if buf fails or a check does.

    Installs the compiler of the stubs first. Raises SetupError when it can't.
    """
    stub_compiler.ensure_installed()
    with tempfile.TemporaryDirectory() as folder:
        stubs = generate(Path(folder))
        if stubs is None:
            return 1
        made = {Path("generated") / path: content for path, content in stubs.items()}
    committed = {
        Path("generated") / path: content for path, content in read_tree(GENERATED).items()
    }
    paper = folder_table.PAPER.read_text()
    current = folder_table.with_table(paper)
    if check and folder_table.without_counts(current) == folder_table.without_counts(paper):
        current = paper
    made[Path(folder_table.PAPER.name)] = current.encode()
    committed[Path(folder_table.PAPER.name)] = paper.encode()
    paths = sorted({*made, *committed})
    differing = [path for path in paths if made.get(path) != committed.get(path)]
    for path in differing:
        print(f"{'differs' if check else 'writing'}: {path}")
        if not check:
            write(ROOT / path, made.get(path))
    if check and differing:
        print("these files are out of date: run ./scripts/generate and commit them")
        return 1
    return 0


def generate(folder: Path) -> dict[Path, bytes] | None:
    """All files of `generated/`, made in `folder`; None when buf fails (it prints why)."""
    descriptor_set = str(folder / "generated" / DESCRIPTOR_SET)
    for command in (
        ["generate", "--output", str(folder)],
        ["build", "--as-file-descriptor-set", "--output", descriptor_set],
    ):
        made = subprocess.run(
            [str(buf_path()), *command], cwd=ROOT, env=tool_environment(), check=False
        )
        if made.returncode != 0:
            return None
    return {**read_tree(folder / "generated"), TYPE_MARKER: b""}


def read_tree(root: Path) -> dict[Path, bytes]:
    """The contents of the files below `root` by relative path, without bytecode."""
    files = (path for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(root): path.read_bytes() for path in files}


def write(path: Path, content: bytes | None) -> None:
    """Write `content` to `path`; None removes the file."""
    if content is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
