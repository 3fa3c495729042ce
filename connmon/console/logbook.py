"""What the console would have logged: kept, to be read on the screen."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from twisted.logger import ILogObserver, formatEvent, globalLogPublisher
from zope.interface import implementer

from connmon.console import clock

LINES = 500
"""Lines kept; the oldest go first."""


@implementer(ILogObserver)
class Logbook:
    """The newest lines of the log."""

    def __init__(self) -> None:
        """Begin empty, and deaf."""
        self._lines: deque[str] = deque(maxlen=LINES)

    def open(self) -> None:
        """Hear what is logged from now on."""
        globalLogPublisher.addObserver(self)

    def close(self) -> None:
        """Hear no more."""
        globalLogPublisher.removeObserver(self)

    def __call__(self, event: dict[str, Any]) -> None:
        """Keep one event, and the traceback of an error."""
        at = clock.told(event.get("log_time") or time.time())
        level = getattr(event.get("log_level"), "name", "")
        self._add(f"{at} {level} {formatEvent(event)}")
        failure = event.get("log_failure")
        if failure is not None:
            self._add(failure.getTraceback())

    def note(self, text: str) -> None:
        """Keep a line of the console's own."""
        self._add(f"{clock.told(time.time())} {text}")

    def lines(self) -> tuple[str, ...]:
        """What is kept, the oldest first."""
        return tuple(self._lines)

    def _add(self, text: str) -> None:
        self._lines.extend(text.splitlines())
