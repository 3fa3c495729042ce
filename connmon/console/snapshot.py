"""The screen as a text file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from connmon.console.text import Line
from connmon.errors import ConfigError
from connmon.wording import printable


def save(lines: Sequence[Line], path: str) -> str:
    """Write lines, without their looks, to a new file; its whole path.

    ``~`` is the home directory. ``ConfigError`` if something of that name is there,
    which stays as it is, or if the file cannot be written as a whole: then there is
    none.
    """
    text = "".join("".join(t for _, t in line).rstrip() + "\n" for line in lines)
    whole = os.path.abspath(os.path.expanduser(path))
    try:
        with open(whole, "x", encoding="utf-8") as file:
            try:
                file.write(text)
                file.flush()
            except OSError:
                with suppress(OSError):
                    os.unlink(whole)
                raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot save to {printable(path)}: {reason}") from None
    return whole
