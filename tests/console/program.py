"""A console without a network, to be run on a pty: all its parts but the link.

Besides the keys of the console, ``x`` raises an error, ``e`` writes to standard error,
``s`` stops the reactor behind the screen's back, and ``z`` even crashes it, so that
only the interpreter's end is left. The last key and the size of the window are shown.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from connmon.console.live import Live
from connmon.console.logbook import Logbook
from connmon.console.place import Screen
from connmon.console.terminal import Terminal, glyphs, painter
from connmon.views.query import Query
from tests.console.sources import FakeSource, many

PROGRAMS = 28


class Answering(FakeSource):
    """A source that answers in the reactor's next turn."""

    def __init__(self, reactor: Any) -> None:
        """Have programs enough to scroll."""
        super().__init__()
        self.viewer: Any = None
        self._reactor = reactor
        self.have(many(PROGRAMS))

    def watch(self, queries: Sequence[Query], interval: float) -> int:
        """Answer soon."""
        number = super().watch(queries, interval)
        self._reactor.callLater(0, self.feed, self.viewer, number)
        return number


class Program:
    """The parts of a console, put together."""

    def __init__(self) -> None:
        """Take the environment's word for what the terminal can do."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.status = -1
        environ = dict(os.environ)
        source = Answering(reactor)
        self.live = Live(reactor, Screen(), glyphs(environ), Logbook(), environ)
        self.terminal = Terminal(
            reactor,
            painter(environ),
            on_key=self.pressed,
            on_resize=self.live.resized,
            on_exit=self.ended,
        )
        source.viewer = self.live
        self.live.join(self.terminal, source)

    def pressed(self, key: str) -> None:
        """Do what a key asks for."""
        if key == "x":
            raise RuntimeError("as asked for")
        if key == "e":
            os.write(2, b"something \x1b[31m went wrong\n")
        if key == "s":
            self.reactor.stop()
        if key == "z":
            self.reactor.crash()
        self.live.pressed(key)
        width, height = self.terminal.size
        self.live.noted(f"{key} at {width}x{height}")

    def ended(self, status: int) -> None:
        """Remember the status, and end."""
        self.status = status
        self.live.stop()
        self.reactor.stop()

    def run(self) -> int:
        """Run until the screen ends; return the exit status."""
        self.terminal.start()
        self.reactor.run()
        with suppress(OSError):  # the terminal may be gone
            os.write(1, b"status %d\n" % self.status)
        return max(0, self.status)


if __name__ == "__main__":
    sys.exit(Program().run())
