"""The reactor of our own programs."""

from __future__ import annotations

import time
from typing import Any


def steady_reactor() -> Any:
    """Twisted's reactor, with timers that do not follow adjustments of the wall clock.

    By Twisted's own reading, such an adjustment would end every timer at once, or hold
    all of them up. Not for use in an application: its reactor is no business of ours.
    """
    from twisted.internet import reactor as global_reactor

    reactor: Any = global_reactor
    reactor.seconds = time.monotonic
    return reactor
