"""Takes what may be a secret out of the URLs in a text: user, password and parameters.

Settings hold URLs with passwords and keys in them, and libraries repeat those in the texts of their
errors, some without scheme and host (`url: /v1/traces?key=...`).
"""

import re
from typing import Any

_HIDDEN = "***"
# Up to the last @, because a password that was typed as it is may hold any character but a blank.
_USER = re.compile(r"(?<=//)[^\s'\"]*@")
_PARAMETERS = re.compile(r"(//[^\s?'\"]*)\?[^\s'\"]+|(/[^\s?'\"]*)\?[^\s?'\"=&]+=[^\s'\"]*")
_WHOLE_USER = re.compile(r"(?<=//).*@", re.DOTALL)
_WHOLE_PARAMETERS = re.compile(r"\?.*", re.DOTALL)


def hidden_in_text(text: str) -> str:
    """Return a text with `***` for user and password of each URL in it, and for its parameters."""
    if "@" in text:
        text = _USER.sub(f"{_HIDDEN}@", text)
    if "?" in text:
        text = _PARAMETERS.sub(rf"\1\2?{_HIDDEN}", text)
    return text


def hidden_in_value(value: str) -> str:
    """Return what may be a URL, or a failed attempt at one, with the same left out of it."""
    if "//" not in value:
        return value
    return _WHOLE_PARAMETERS.sub(f"?{_HIDDEN}", _WHOLE_USER.sub(f"{_HIDDEN}@", value))


def hidden_in(value: Any) -> Any:
    """Return a value of a log line with the same left out of every text in it."""
    match value:
        case str():
            return hidden_in_text(value)
        case dict():
            return {name: hidden_in(each) for name, each in value.items()}
        case list() | tuple():
            return [hidden_in(each) for each in value]
    return value
