"""The text of an error as it is stored and shown to operators."""

_ERROR_MAX_CHARS = 200


def describe(error: Exception) -> str:
    """The type of an error and the first line of its text.

    Further lines are left out, because databases put values there; NUL, because PostgreSQL cannot
    store it.
    """
    first_line = str(error).partition("\n")[0].replace("\0", "")
    return f"{type(error).__name__}: {first_line}"[:_ERROR_MAX_CHARS]
