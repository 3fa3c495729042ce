"""Make docs/screen.svg: the console on the demo, as it looks in a terminal.

Run with connmon and pyte installed: ``python docs/picture.py > docs/screen.svg``.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from xml.sax.saxutils import escape

import pyte

WIDTH, HEIGHT, SECONDS = 96, 12, 25.0
CELL, LINE = 8.4, 18
PAPER, INK = "#1c1c1c", "#d0d0d0"
NAMED = {
    "black": "#1c1c1c",
    "red": "#d75f5f",
    "green": "#5faf5f",
    "brown": "#d7875f",
    "blue": "#5f87d7",
    "cyan": "#5fafaf",
    "white": "#d0d0d0",
}


def watched() -> pyte.Screen:
    """Run the demo on a terminal for a while; its screen at the end."""
    screen = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.ByteStream(screen)
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
        os.execvp("connmon", ["connmon", "demo"])
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    until = time.monotonic() + SECONDS
    while (left := until - time.monotonic()) > 0:
        if select.select([fd], [], [], left)[0]:
            stream.feed(os.read(fd, 65536))
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)
    return screen


def colour(name: str, default: str) -> str:
    """A colour of pyte's as SVG has it."""
    if name == "default":
        return default
    return NAMED.get(name, f"#{name}" if len(name) == 6 else default)


def svg(screen: pyte.Screen) -> str:
    """The screen as a drawing, one text for each run of cells that look alike."""
    width, height = WIDTH * CELL + 20, HEIGHT * LINE + 20
    out = [
        (
            '<svg xmlns="http://www.w3.org/2000/svg"'
            f' viewBox="0 0 {width:g} {height:g}"'
            ' font-family="DejaVu Sans Mono, Menlo, Consolas, monospace"'
            ' font-size="14">'
        ),
        f'<rect width="100%" height="100%" rx="6" fill="{PAPER}"/>',
    ]
    for row in range(HEIGHT):
        cells = [screen.buffer[row][column] for column in range(WIDTH)]
        start = 0
        for column in range(1, WIDTH + 1):
            if column < WIDTH and cells[column][1:] == cells[start][1:]:
                continue
            out += run(cells[start:column], start, row)
            start = column
    return "\n".join([*out, "</svg>"])


def run(cells: list[pyte.screens.Char], start: int, row: int) -> list[str]:
    """Cells that look alike, at a column of a row."""
    look, text = cells[0], "".join(cell.data for cell in cells)
    ink, paper = colour(look.fg, INK), colour(look.bg, PAPER)
    if look.reverse:
        ink, paper = paper, ink
    x, y = 10 + start * CELL, 10 + row * LINE
    drawn = []
    if paper != PAPER:
        drawn.append(
            f'<rect x="{x:.1f}" y="{y}" width="{len(cells) * CELL:.1f}"'
            f' height="{LINE}" fill="{paper}"/>'
        )
    if text.strip():
        weight = ' font-weight="bold"' if look.bold else ""
        drawn.append(
            f'<text x="{x:.1f}" y="{y + 14}" fill="{ink}"{weight} xml:space="preserve"'
            f' textLength="{len(cells) * CELL:.1f}">{escape(text)}</text>'
        )
    return drawn


if __name__ == "__main__":
    sys.stdout.write(svg(watched()) + "\n")
