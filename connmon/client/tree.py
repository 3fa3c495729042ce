"""A process of a tree of processes that ``connmon run`` watches.

Like ``connmon.client.process``, this imports neither SQLAlchemy nor anything with
threads or sockets.
"""

from __future__ import annotations

import functools
import os
import sys
from typing import Any

from connmon.client import process

BEGUN = False
"""Whether this process is watched since its start, and its end is, too."""


def begin() -> None:
    """Watch this process: SQLAlchemy is about to be imported, or was just now.

    Whoever calls this sees to it that what is left is told when the process ends.
    Where to report to, the environment says: see ``connmon.client.options.tree``. It
    does so to children, too, that ``multiprocessing`` starts anew.
    """
    global BEGUN
    first, BEGUN = not BEGUN, True
    if first:
        process.hear_of_engines()
        _hear_of_the_end()


def _hear_of_the_end() -> None:
    """Have what is left told where a process ends without its exit functions, too.

    Forked children do, such as those of test runners. What such a one had out when it
    last reported is not what it has not returned.
    """
    end: Any = os._exit

    @functools.wraps(end)
    def _exit(status: int) -> None:
        try:
            agent = sys.modules.get("connmon.client.agent")
            if agent is not None:
                agent.HERE.leave()
        finally:
            end(status)

    patched: Any = os
    patched._exit = _exit
