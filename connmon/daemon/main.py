"""``connmond`` and ``connmon listen``: the node in the foreground, without twistd."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.python import usage

from connmon.daemon.tap import Options, makeService


def main(argv: Sequence[str], program: str) -> int:
    """Run a node until SIGTERM or ^C; the exit status. Logs go to standard error."""
    options = Options()
    options.synopsis = f"Usage: {program} {Options.synopsis}"
    try:
        options.parseOptions(list(argv))
    except usage.UsageError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    service = makeService(options)
    observer: Any = textFileLogObserver(sys.stderr)
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    reactor: Any = global_reactor
    service.privilegedStartService()
    service.startService()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.run()
    return 0
