"""Make docs/screen.svg: the console on the demo, as it looks in a terminal.

``make picture`` runs it, with the file to write as its argument. The demo is started on
a terminal of its own, keys are pressed, and what then stands on the screen is drawn,
cell by cell. Strokes and bars are drawn as shapes, since not every font has them.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from re import finditer
from xml.sax.saxutils import escape

import pyte
from pyte.screens import Char

WIDTH, HEIGHT = 110, 16
LEAD = 70.0
"""Seconds until the first picture: by then the sparkline has its minute."""

SCENES = (("jj", 1.0), ("3", 3.0))
"""Keys to press one after another, and the seconds after which a picture is taken."""

UNWANTED = ("COLORTERM", "NO_COLOR", "XDG_CONFIG_HOME")
"""What of the environment would change the picture."""

CELL, LINE, MARGIN = 8.4, 18.0, 12.0
PAPER, INK, EDGE = "#16191d", "#d4d7db", "#3b4148"

Line = list[Char]
Screen = list[Line]


class Terminal:
    """The demo's console, on a terminal that nobody looks at."""

    def __init__(self, home: str) -> None:
        """Start it; what it keeps and looks for is in ``home``."""
        self._screen = pyte.Screen(WIDTH, HEIGHT)
        self._stream = pyte.ByteStream(self._screen)
        command = Path(sys.executable).with_name("connmon")
        environ = {k: v for k, v in os.environ.items() if k not in UNWANTED}
        environ |= {"HOME": home, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.execve(command, ["connmon", "demo"], environ)
        size = struct.pack("HHHH", HEIGHT, WIDTH, 0, 0)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, size)

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._fd, keys.encode())

    def after(self, seconds: float) -> Screen:
        """The screen as it is so many seconds later."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([self._fd], [], [], left)[0]:
                self._stream.feed(os.read(self._fd, 65536))
        buffer = self._screen.buffer
        return [[buffer[row][at] for at in range(WIDTH)] for row in range(HEIGHT)]

    def end(self) -> None:
        """End it, and wait until it has."""
        os.kill(self._pid, signal.SIGTERM)
        os.waitpid(self._pid, 0)


def watched() -> list[Screen]:
    """The screen in each of the scenes."""
    with tempfile.TemporaryDirectory() as home:
        terminal = Terminal(home)
        try:
            terminal.after(LEAD)
            screens = []
            for keys, seconds in SCENES:
                terminal.press(keys)
                screens.append(terminal.after(seconds))
            return screens
        finally:
            terminal.end()


def svg(screens: list[Screen]) -> str:
    """The screens as one drawing, one below the other."""
    width = WIDTH * CELL + 2 * MARGIN
    each = HEIGHT * LINE + 2 * MARGIN
    height = len(screens) * (each + MARGIN) - MARGIN
    out = [
        (
            '<svg xmlns="http://www.w3.org/2000/svg"'
            f' viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
            ' font-family="DejaVu Sans Mono, Menlo, Consolas, monospace"'
            ' font-size="14">'
        )
    ]
    for number, screen in enumerate(screens):
        top = number * (each + MARGIN)
        out.append(
            f'<rect x=".5" y="{top + 0.5:g}" width="{width - 1:g}"'
            f' height="{each - 1:g}" rx="8" fill="{PAPER}" stroke="{EDGE}"/>'
        )
        for row, line in enumerate(screen):
            out += drawn(line, top + MARGIN + row * LINE)
    return "\n".join([*out, "</svg>"])


def drawn(line: Line, y: float) -> Iterator[str]:
    """A line of the screen, in pieces that look alike."""
    start = 0
    for look, alike in groupby(line, lambda cell: cell._replace(data="")):
        text = "".join(cell.data for cell in alike)
        x = MARGIN + start * CELL
        start += len(text)
        ink, paper = colour(look.fg, INK), colour(look.bg, PAPER)
        if look.reverse:
            ink, paper = paper, ink
        if paper != PAPER:
            yield rectangle(x, y, len(text) * CELL, LINE, paper)
        for found in finditer(r"[━╸─▁▂▃▄▅▆▇▾▴]+", text):
            for shape in shapes(found[0], x + found.start() * CELL, y):
                yield f'<path d="{shape}" fill="{ink}"/>'
        for found in finditer(r"[^ ━╸─▁▂▃▄▅▆▇▾▴]+(?: [^ ━╸─▁▂▃▄▅▆▇▾▴]+)*", text):
            place = x + found.start() * CELL
            yield written(found[0], place, y, ink, look)


def written(text: str, x: float, y: float, ink: str, look: Char) -> str:
    """Text without a gap, as wide as its cells whatever the font."""
    weight = ' font-weight="bold"' if look.bold else ""
    slant = ' font-style="italic"' if look.italics else ""
    width = f' textLength="{len(text) * CELL:.1f}"' if len(text) > 1 else ""
    return (
        f'<text x="{x:.1f}" y="{y + 14:g}"{width} fill="{ink}"{weight}{slant}>'
        f"{escape(text)}</text>"
    )


def shapes(text: str, x: float, y: float) -> Iterator[str]:
    """The outlines of strokes, bars and signs that stand side by side."""
    for char, alike in groupby(text):
        width = len(list(alike)) * CELL
        if char in "▁▂▃▄▅▆▇":
            height = ("▁▂▃▄▅▆▇".index(char) + 1) * LINE / 8
            yield box(x, y + LINE - height, width, height)
        elif char in "▾▴":
            base, tip = (y + 7, y + 12) if char == "▾" else (y + 12, y + 7)
            yield f"M{x + 1:.1f} {base:g}h{CELL - 2:g}L{x + CELL / 2:.1f} {tip:g}z"
        else:
            thick = 1.2 if char == "─" else 3.6
            reach = width - CELL / 2 if char == "╸" else width
            yield box(x, y + (LINE - thick) / 2, reach, thick)
        x += width


def box(x: float, y: float, width: float, height: float) -> str:
    """The outline of a rectangle."""
    return f"M{x:.1f} {y:.2f}h{width:.1f}v{height:.2f}h-{width:.1f}z"


def rectangle(x: float, y: float, width: float, height: float, fill: str) -> str:
    """A filled rectangle."""
    return f'<path d="{box(x, y, width, height)}" fill="{fill}"/>'


def colour(name: str, default: str) -> str:
    """A colour of pyte's as SVG has it."""
    return default if name == "default" else f"#{name}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(svg(watched()) + "\n", encoding="utf-8")
