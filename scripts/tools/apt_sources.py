"""Reads the package mirrors of a Debian machine from its apt sources.

Both formats: one-line (`deb [options] URI suite component...`) and deb822 stanzas. The project
itself names no mirror. Standard library only.
"""

import re
from collections.abc import Iterator
from pathlib import Path

ETC_APT = Path("/etc/apt")
# Security mirrors have other suites than the distribution itself.
SECURITY = "security"


def mirrors(etc_apt: Path = ETC_APT) -> list[str]:
    """URIs of the enabled binary sources, in the order apt reads them, each once."""
    files = [etc_apt / "sources.list", *sorted((etc_apt / "sources.list.d").glob("*"))]
    found: dict[str, None] = {}
    for file in files:
        if file.suffix not in {".list", ".sources"} or not file.is_file():
            continue
        read = _deb822 if file.suffix == ".sources" else _one_line
        found.update(dict.fromkeys(read(file.read_text())))
    return list(found)


def _one_line(text: str) -> Iterator[str]:
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)", line.strip())
        if match and SECURITY not in match[2]:
            yield match[1]


def _deb822(text: str) -> Iterator[str]:
    for stanza in re.split(r"\n[ \t]*\n", text):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split():
            continue
        if fields.get("enabled", "yes").strip().lower() in {"no", "false", "0"}:
            continue
        if all(SECURITY in suite for suite in fields.get("suites", "").split()):
            continue
        yield from fields.get("uris", "").split()


def _fields(stanza: str) -> dict[str, str]:
    """Lower-cased field names to values; a line that starts with space continues the field."""
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace():
            fields[name] = f"{fields.get(name, '')} {line.strip()}"
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields
