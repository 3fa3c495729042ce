"""Stand-ins for the console's tests: names, an emulator, a reactor, a process."""

from __future__ import annotations

import fcntl
import struct
import termios
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import pyte
from hypothesis import strategies as st
from twisted.internet.testing import MemoryReactorClock

from connmon.console.terminal import Process
from connmon.console.text import Line
from connmon.console.text import width as cells_of

NASTY = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "\x1b\x9b\x07\n\r\t\x18\u202e\u200b\u0301\ufe0f日…é\ue000\U000e0041"
        ),
    ),
    max_size=30,
)
"""Names as an attacker would choose them, half surrogates and all."""


def plain(lines: Sequence[Line]) -> list[str]:
    """Return what the lines say, without their looks, accents composed as by pyte."""
    texts = ("".join(text for _, text in line).rstrip() for line in lines)
    return [unicodedata.normalize("NFC", text) for text in texts]


class Emulator:
    """A terminal of a given size, fed with bytes.

    It has no second screen, so whether that was asked for is read off its modes.
    """

    def __init__(self, width: int, height: int) -> None:
        """Begin blank."""
        self.screen = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self.screen)

    def feed(self, data: bytes) -> None:
        """Take output."""
        self._stream.feed(data)

    def resize(self, width: int, height: int) -> None:
        """Change the size, as pulling at the window's corner does."""
        self.screen.resize(height, width)

    def rows(self) -> list[str]:
        """Return the text of each row, without the blanks at its end."""
        columns = range(self.screen.columns)
        texts = (
            "".join(self.screen.buffer[y][x].data for x in columns).rstrip()
            for y in range(self.screen.lines)
        )
        return [unicodedata.normalize("NFC", text) for text in texts]

    def cells(self) -> list[list[Any]]:
        """Return every cell with its looks."""
        columns = range(self.screen.columns)
        return [
            [self.screen.buffer[y][x] for x in columns]
            for y in range(self.screen.lines)
        ]

    def modes(self) -> set[int]:
        """Return which of the modes that a screen changes are on."""
        return {n for n in (7, 25, 1049, 2004, 2026) if n << 5 in self.screen.mode}


def set_size(fd: int, width: int, height: int) -> None:
    """Give a pty a size, as a window does."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


AS_FOUND = {7, 25}
"""The modes of a terminal that nobody has taken over."""

TAKEN_OVER = {1049, 2004}
"""The modes of a terminal on which a screen is up."""


class FakeReactor(MemoryReactorClock):
    """A reactor that runs nothing by itself; what threads ask for happens at once."""

    def callFromThread(self, function: Callable[..., object], *args: object) -> None:
        """Call at once: there is but one thread."""
        function(*args)


class FakeProcess(Process):
    """A process whose signals are sent by ``heard`` and whose sleep takes no time."""

    def __init__(self, asleep: Callable[[], None] = lambda: None) -> None:
        """Call ``asleep`` while the process would be stopped."""
        super().__init__()
        self.heard: Callable[[int], None] | None = None
        self.errors = ""
        self._asleep = asleep

    def listen(self, heard: Callable[[int], None]) -> None:
        """Remember whom to tell."""
        self.heard = heard

    def ignore(self) -> None:
        """Tell nobody any more."""
        self.heard = None

    def sleep(self) -> None:
        """Do what the test wants done meanwhile."""
        self._asleep()

    def capture(self) -> None:
        """Leave standard error alone."""

    def release(self) -> str:
        """Return what the test says was written."""
        errors, self.errors = self.errors, ""
        return errors


def widest(lines: Sequence[Line]) -> int:
    """Return the width of the widest line."""
    return max(sum(cells_of(text) for _, text in line) for line in lines)
