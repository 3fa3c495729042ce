"""What the commands have in common that print something and end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from connmon.errors import ConnmonError


def ended(program: str, command: Callable[[], int]) -> int:
    """The exit status of a command; 1 and a line for what keeps it from its work."""
    try:
        return command()
    except ConnmonError as error:
        complain(program, str(error))
        return 1


def warn(program: str, warnings: Iterable[str]) -> None:
    """Tell of a configuration what is odd in it."""
    for warning in warnings:
        complain(program, warning)


def complain(program: str, text: str) -> None:
    """Tell something on standard error."""
    print(f"{program}: {text}", file=sys.stderr)
