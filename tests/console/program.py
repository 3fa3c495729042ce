"""A console without a network, to be run on a pty: it draws one frame, and scrolls it.

Besides the keys of the console, ``x`` raises an error, ``e`` writes to standard error,
``s`` stops the reactor behind the screen's back, and ``c`` even crashes it, so that
only the interpreter's end is left. The last key and the size of the window are shown.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

from connmon.console.screen import Effect, Screen, press
from connmon.console.terminal import Terminal, glyphs, painter
from connmon.console.views import Shown, State, lines, page_rows
from tests.console.fakes import a_frame, many_programs

FRAME = a_frame(many_programs())


class Program:
    """The parts of a console, put together."""

    def __init__(self) -> None:
        """Take the environment's word for what the terminal can do."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.status = -1
        self.screen = Screen()
        self.message = ""
        self.glyphs = glyphs(os.environ)
        self.terminal = Terminal(
            reactor,
            painter(os.environ),
            on_key=self.pressed,
            on_resize=self.draw,
            on_exit=self.ended,
        )

    def shown(self) -> Shown:
        """Return what is to be seen now."""
        return Shown(
            FRAME,
            State.LIVE,
            message=self.message,
            clock="14:02:31",
            offset=self.screen.offset,
            glyphs=self.glyphs,
        )

    def draw(self, width: int, height: int) -> None:
        """Draw the frame."""
        self.terminal.draw(lines(self.shown(), width, height))

    def pressed(self, key: str) -> None:
        """Do what a key asks for."""
        width, height = self.terminal.size
        if key == "x":
            raise RuntimeError("as asked for")
        if key == "e":
            os.write(2, b"something \x1b[31m went wrong\n")
        if key == "s":
            self.reactor.stop()
        if key == "c":
            self.reactor.crash()
        self.message = f"{key} at {width}x{height}"
        rows, page = len(FRAME.programs), page_rows(self.shown(), height)
        self.screen, effect = press(self.screen, key, rows, page)
        if effect is Effect.QUIT:
            self.terminal.stop(0)
        elif effect is Effect.REDRAW:
            self.terminal.redraw()
        else:
            self.draw(width, height)

    def ended(self, status: int) -> None:
        """Remember the status, and end."""
        self.status = status
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
