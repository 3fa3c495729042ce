"""The commands: ``connmon``, ``connmon listen``, ``connmon demo``, and ``connmond``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

COMMANDS = ("listen", "demo")


def main() -> None:
    """``connmon``: the console, or the command named first."""
    sys.exit(run(sys.argv[1:]))


def daemon() -> None:
    """``connmond``: a node in the foreground."""
    from connmon.daemon.main import main as listen

    sys.exit(listen(sys.argv[1:], "connmond"))


def run(argv: Sequence[str]) -> int:
    """Run one command; its exit status. Each imports only what it needs."""
    if argv and not argv[0].startswith("-"):
        command, rest = argv[0], argv[1:]
        if command == "listen":
            from connmon.daemon.main import main as listen

            return listen(rest, "connmon listen")
        if command == "demo":
            from connmon.demo.main import main as demo

            return demo(rest, "connmon demo")
        print(
            f"connmon: no command {command!r}, expected one of: {', '.join(COMMANDS)}",
            file=sys.stderr,
        )
        return 2
    from connmon.console.main import main as console

    return console(argv, "connmon")
