"""One process of the demo: ends as soon as the process that started it has."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from typing import Any


def main(argv: list[str]) -> int:
    """``node DIRECTORY OPTION ...`` or ``program NAME DIRECTORY ADDRESS``."""
    kind = argv[0]
    directory = argv[1] if kind == "node" else argv[2]
    threading.Thread(target=_end_with_parent, args=(directory,), daemon=True).start()
    if kind == "node":
        return _node(argv[2:])
    from connmon.demo.programs import run

    run(argv[1], directory, argv[3])
    return 0


def _end_with_parent(directory: str) -> None:
    """Wait for the end of standard input, which the parent holds open."""
    while os.read(0, 4096):
        pass
    # The parent removes this itself, unless it was killed.
    shutil.rmtree(directory, ignore_errors=True)
    os._exit(0)


def _node(options: list[str]) -> int:
    """A node that says on standard output where it listens."""
    from twisted.logger import globalLogPublisher

    from connmon.daemon.main import main as listen

    def tell(event: dict[str, Any]) -> None:
        if event.get("log_namespace") == "connmon.daemon" and "address" in event:
            print(f"listening {event['address']}", flush=True)

    observer: Any = tell  # whose interface is declared by a decorator
    globalLogPublisher.addObserver(observer)
    return listen(options, "connmon demo")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
