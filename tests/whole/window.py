"""A terminal window with a real command in it, and what it shows."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.console.fakes import AS_FOUND, TAKEN_OVER, Emulator, set_size
from tests.whole.fleet import WITHIN, NotSeen

if TYPE_CHECKING:
    from typing_extensions import Self

#: Makes standard input the terminal of a new session, as a window does.
_IN_WINDOW = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Window:
    """A terminal window of 100 by 24 with a command in it."""

    def __init__(
        self, command: Sequence[str | Path], env: Mapping[str, str] | None = None
    ) -> None:
        """Start the command in a session of its own."""
        self.emulator = Emulator(100, 24)
        #: All that was written to the window.
        self.output = b""
        self._master, slave = os.openpty()
        set_size(slave, 100, 24)
        self.found = termios.tcgetattr(self._master)
        environ = {
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": "",
            **(env or {}),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", _IN_WINDOW, *map(str, command)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, **environ},
        )
        os.close(slave)

    @property
    def text(self) -> str:
        """What is to be seen."""
        return "\n".join(self.emulator.rows())

    def until(self, reached: Callable[[], object], wanted: str = "") -> None:
        """Read what is drawn until something is so; ``wanted`` is that in words."""
        deadline = time.monotonic() + WITHIN
        while not reached():
            if time.monotonic() > deadline:
                raise NotSeen(f"{wanted or 'it'} was not seen; last:\n{self.text}")
            if select.select([self._master], [], [], 0.05)[0]:
                # The far end is closed: an end that ``reached`` will see.
                with contextlib.suppress(OSError):
                    data = os.read(self._master, 65536)
                    self.output += data
                    self.emulator.feed(data)

    def shows(self, *words: str) -> None:
        """Wait until a screen is up that has all these words."""
        self._takes_over(lambda: all(word in self.text for word in words), words)

    def shows_any(self, *words: str) -> None:
        """Wait until a screen is up that has one of these words."""
        self._takes_over(lambda: any(word in self.text for word in words), words)

    def _takes_over(self, reached: Callable[[], bool], words: Sequence[str]) -> None:
        self.until(
            lambda: self.emulator.modes() == TAKEN_OVER and reached(), repr(words)
        )

    def says(self, *words: str) -> None:
        """Wait until all these words are to be seen, on a screen or not."""
        self.until(lambda: all(word in self.text for word in words), repr(words))

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    def resize(self, width: int, height: int) -> None:
        """Pull at the window's corner."""
        self.emulator.resize(width, height)
        set_size(self._master, width, height)

    def ended(self) -> int:
        """Wait for the end; the exit status."""
        self.until(lambda: self.process.poll() is not None)
        self.until(lambda: self.emulator.modes() == AS_FOUND)
        return self.process.wait()

    def modes(self) -> list[Any]:
        """How the terminal is set."""
        return termios.tcgetattr(self._master)

    def foreground(self) -> int:
        """The process group that has the window."""
        return os.tcgetpgrp(self._master)

    def close(self) -> None:
        """Close the window, as pressing its cross does."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def __enter__(self) -> Self:
        """The window."""
        return self

    def __exit__(self, *exception: object) -> None:
        """End what runs in it."""
        self.process.kill()
        self.process.wait()
        self.close()
