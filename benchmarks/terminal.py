"""A pseudo-terminal with a console on it, and what can be read off its screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pyte

from benchmarks.process import Failed

if TYPE_CHECKING:
    from typing_extensions import Self

WIDTH, HEIGHT = 160, 40

COMMAND = "from connmon.cli import main; main()"
"""What a Python runs for a console, of the connmon that is imported here."""

_OWN = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
"""And before it, for its standard input to be its session's own terminal."""

GATHERED = 0.25
"""Seconds for which output is only gathered: reading the screen takes time itself."""

PATIENCE = 15.0
"""Seconds after which what must appear has not."""

_DRAWN = b"\x1b[?2026l"
"""What a console ends each picture with."""

_PLACE = re.compile(r"(\d+)-(\d+) of (\d+)(?: \(\d+ in all\))?$")


@dataclass(frozen=True)
class Piece:
    """Output of a console: when it came, and the CPU that was used by then."""

    at: float
    cpu: float
    data: bytes


class Picture:
    """The lines of a screen, and where in them things are."""

    def __init__(self, lines: Sequence[str]) -> None:
        """``lines`` are of one width, blanks at their ends included."""
        self.lines = lines

    @property
    def last(self) -> str:
        """The line of the keys, or of what is being typed."""
        return self.lines[-1].rstrip()

    @property
    def place(self) -> tuple[int, int, int]:
        """The first row that is seen, the last, and of how many; zeros without rows."""
        found = _PLACE.search(self.last)
        return (0, 0, 0) if found is None else tuple(map(int, found.groups()))  # type: ignore[return-value]

    def heading(self, word: str) -> int | None:
        """Which line has the name of a column, if there is one below the header."""
        name = re.compile(rf"(?<![^\s▾▴]){re.escape(word)}(?=[\s▾▴]|$)")
        numbers = range(4, min(len(self.lines), 6))
        return next((n for n in numbers if name.search(self.lines[n])), None)

    def rows(self, word: str) -> list[str]:
        """The rows below such a heading that are not blank, as many as are seen."""
        heading = self.heading(word)
        first, last, _ = self.place
        if heading is None or not last:
            return []
        below = self.lines[heading + 1 : heading + 2 + last - first]
        return [row for row in below if row.strip()]

    def is_full(self, word: str) -> bool:
        """Whether there is a row for each that the last line speaks of."""
        first, last, _ = self.place
        return 0 < last - first + 1 == len(self.rows(word))

    def cursor(self, word: str) -> int | None:
        """Which of the rows the cursor is on."""
        rows = self.rows(word)
        return next((n for n, row in enumerate(rows) if row[1] == ">"), None)

    def column(self, word: str, name: str) -> list[str]:
        """The words in a column of figures of such a table, from the top."""
        heading = self.heading(word)
        if heading is None:
            return []
        end = self.lines[heading].index(f"{name} ") + len(name)
        return [row[:end].split()[-1] for row in self.rows(word)]


Seen = Callable[[Picture], bool]


class Console:
    """A console on a terminal of its own; gone when its context ends."""

    def __init__(self, address: str, *options: str, home: Path) -> None:
        """Start it; ``home`` is where it looks for its preferences."""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        self._screen = pyte.Screen(WIDTH, HEIGHT)
        self._stream = pyte.ByteStream(self._screen)
        self._tail = b""
        #: Bytes that were written to the terminal, and pictures.
        self.written = self.pictures = 0
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _OWN + COMMAND, "-H", address, *options],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment(home),
            start_new_session=True,
        )
        os.close(slave)

    @property
    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        return spent(self.process.pid)

    @property
    def most_memory(self) -> int:
        """The most bytes that it ever had in memory."""
        return peak(self.process.pid)

    def press(self, keys: bytes) -> float:
        """Type; when that was."""
        at = time.monotonic()
        os.write(self._master, keys)
        return at

    def watch(self, seconds: float) -> None:
        """Let it draw for a while."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._draw(self._gather(min(left, GATHERED)), lambda picture: False)

    def until(self, seen: Seen) -> Piece:
        """Wait for a picture; the output that completed it. Raises ``Failed``."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            found = self._draw(self._gather(GATHERED), seen)
            if found is not None:
                return found
        raise self._failed("what was waited for was not to be seen")

    def picture(self) -> Picture:
        """The screen as it is."""
        buffer = self._screen.buffer
        return Picture(
            ["".join([buffer[y][x].data for x in range(WIDTH)]) for y in range(HEIGHT)]
        )

    def end(self) -> None:
        """Have it end, if it still runs."""
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def _gather(self, seconds: float) -> list[Piece]:
        """What it writes within some seconds."""
        until = time.monotonic() + seconds
        pieces = []
        while (left := until - time.monotonic()) > 0:
            if select.select([self._master], [], [], left)[0]:
                pieces.append(self._read())
        return pieces

    def _read(self) -> Piece:
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:
            raise self._failed("the console ended") from None
        piece = Piece(time.monotonic(), self.cpu, data)
        self.written += len(data)
        return piece

    def _failed(self, why: str) -> Failed:
        lines = (line.rstrip() for line in self.picture().lines)
        return Failed("\n".join([why, *filter(None, lines)]))

    def _draw(self, pieces: list[Piece], seen: Seen) -> Piece | None:
        """Draw what came; the first piece that ended a picture as it should be."""
        found = None
        for piece in pieces:
            self._stream.feed(piece.data)
            self._tail = (self._tail + piece.data)[-len(_DRAWN) :]
            if self._tail == _DRAWN:
                self.pictures += 1
                if found is None and seen(self.picture()):
                    found = piece
        return found

    def __enter__(self) -> Self:
        """The running console."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.end()


class Relay:
    """A way to a node for one link, which counts the bytes that pass."""

    def __init__(self, address: str) -> None:
        """Wait for the link."""
        host, _, port = address.rpartition(":")
        self._node = (host, int(port))
        self._listening = socket.create_server((host, 0))
        self.address = f"{host}:{self._listening.getsockname()[1]}"
        #: Bytes to the node, and from it.
        self.sent = self.received = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        """Pass on what comes, until either side ends."""
        with suppress(OSError), self._listening:
            near, _ = self._listening.accept()
            with near, socket.create_connection(self._node) as far:
                for each in near, far:
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while True:
                    for ready in select.select([near, far], [], [])[0]:
                        data = ready.recv(1 << 16)
                        if not data:
                            return
                        (far if ready is near else near).sendall(data)
                        self.sent += len(data) * (ready is near)
                        self.received += len(data) * (ready is far)


def environment(home: Path) -> dict[str, str]:
    """The settings of a terminal with colours, and no others that matter here."""
    left_out = ("CONNMON_", "PYTHONDONTWRITEBYTECODE", "NO_COLOR", "COLORTERM", "LC_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
    chosen = {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
    return {**kept, **chosen, "XDG_CONFIG_HOME": str(home)}


def spent(pid: int) -> float:
    """Seconds of CPU that a process has used, exactly: by the scheduler's own count.

    Of threads that have ended nothing is known; a console, and a node, have none.
    """
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):
            total += int((task / "schedstat").read_text("ascii").split()[0])
    return total / 1e9


def peak(pid: int) -> int:
    """The most bytes that a process ever had in memory since it was started."""
    status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    return 0 if found is None else int(found[1]) * 1024
