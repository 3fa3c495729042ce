"""The commands: ``connmon``, ``connmon listen`` and others, and ``connmond``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

COMMANDS = {
    "listen": "connmon.daemon.main",
    "demo": "connmon.demo.main",
    "timeouts": "connmon.console.incidents",
    "who": "connmon.console.who",
    "stack": "connmon.console.stack",
    "check": "connmon.console.check",
    "run": "connmon.run.main",
    "advice": "connmon.console.advice",
}
"""The module of each, whose ``main`` takes arguments and the program's name."""

INTERRUPTED = 130
"""The exit status after ^C, as a shell gives it."""


def main() -> None:
    """``connmon``: the console, or the command named first."""
    sys.exit(_quietly(lambda: run(sys.argv[1:])))


def daemon() -> None:
    """``connmond``: a node in the foreground."""
    sys.exit(_quietly(lambda: _begin(COMMANDS["listen"], sys.argv[1:], "connmond")))


def run(argv: Sequence[str]) -> int:
    """Run one command; its exit status. Each imports only what it needs."""
    if argv and not argv[0].startswith("-"):
        command, rest = argv[0], argv[1:]
        if command in COMMANDS:
            return _begin(COMMANDS[command], rest, f"connmon {command}")
        print(
            f"connmon: no command {command!r}, expected one of: {', '.join(COMMANDS)}",
            file=sys.stderr,
        )
        return 2
    return _begin("connmon.console.main", argv, "connmon")


def _begin(module: str, argv: Sequence[str], program: str) -> int:
    """Import a command's parts, which no other needs, and run it."""
    command: Callable[[Sequence[str], str], int] = import_module(module).main
    return command(argv, program)


def _quietly(command: Callable[[], int]) -> int:
    """Run a command; a ^C before it is ready for one is no error of ours."""
    _keep_standard_files_apart()
    try:
        return command()
    except KeyboardInterrupt:
        return INTERRUPTED


def _keep_standard_files_apart() -> None:
    """Take the numbers of standard files that are closed, lest a socket gets them.

    Each then fails when it is used, as a closed file does.
    """
    for number, way in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDWR)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, way)  # gets the lowest free number, which is this one
    if sys.stderr is None:
        # print() would turn to standard output, which is for data.
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115  for good
