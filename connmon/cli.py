"""The commands: ``connmon``, ``connmon listen`` and others, and ``connmond``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

COMMANDS = ("listen", "demo", "timeouts", "who")
INTERRUPTED = 130
"""The exit status after ^C, as a shell gives it."""


def main() -> None:
    """``connmon``: the console, or the command named first."""
    sys.exit(_quietly(lambda: run(sys.argv[1:])))


def daemon() -> None:
    """``connmond``: a node in the foreground."""
    sys.exit(_quietly(lambda: _listen(sys.argv[1:], "connmond")))


def run(argv: Sequence[str]) -> int:
    """Run one command; its exit status. Each imports only what it needs."""
    if argv and not argv[0].startswith("-"):
        command, rest = argv[0], argv[1:]
        if command == "listen":
            return _listen(rest, "connmon listen")
        if command == "demo":
            from connmon.demo.main import main as demo

            return demo(rest, "connmon demo")
        if command == "timeouts":
            from connmon.console.incidents import main as timeouts

            return timeouts(rest, "connmon timeouts")
        if command == "who":
            from connmon.console.who import main as who

            return who(rest, "connmon who")
        print(
            f"connmon: no command {command!r}, expected one of: {', '.join(COMMANDS)}",
            file=sys.stderr,
        )
        return 2
    from connmon.console.main import main as console

    return console(argv, "connmon")


def _listen(argv: Sequence[str], program: str) -> int:
    """A node; its parts are imported only now."""
    from connmon.daemon.main import main as listen

    return listen(argv, program)


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
