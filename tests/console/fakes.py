"""Stand-ins for the console's tests: frames, an emulator, a reactor, a process."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pyte
from hypothesis import strategies as st
from twisted.internet.testing import MemoryReactorClock

from connmon.console.terminal import Process
from connmon.console.text import Line
from connmon.console.text import width as cells_of
from connmon.model.summary import (
    NODE_STATES,
    UNREACHABLE,
    UP,
    Frame,
    Gauge,
    NodeRow,
    NodesFrame,
    ProgramRow,
)


def a_row(
    hostname: str = "ctl1",
    progname: str = "nova-api",
    *,
    connected: bool = True,
    counts: tuple[int, int, int] = (8, 63, 45),
    maxima: tuple[int, int, int] = (9, 66, 75),
    rate: float | None = 0.4,
    stale: int = 0,
    stale_seconds: float | None = None,
) -> ProgramRow:
    """Return a row of the table."""
    return ProgramRow(
        hostname, progname, connected, *counts, *maxima, rate, stale, stale_seconds
    )


def departed(
    hostname: str = "batch1", progname: str = "etl", rate: float | None = None
) -> ProgramRow:
    """Return the row of a program whose last process has gone."""
    return a_row(
        hostname,
        progname,
        connected=False,
        counts=(0, 0, 0),
        maxima=(2, 30, 8),
        rate=rate,
    )


def a_frame(
    programs: Sequence[ProgramRow] = (), service: str = "default", node: str = "node1"
) -> Frame:
    """Return a frame with the given programs, and totals of its own."""
    return Frame(
        service=service,
        node=node,
        hosts=Gauge(5, 7),
        processes=Gauge(156, 167),
        connections=Gauge(586, 1048),
        checkouts=Gauge(149, 317),
        per_second=1421.3,
        programs=tuple(programs),
    )


def a_node(
    node: str = "node1",
    address: str = "192.168.1.205:5800",
    state: str = UP,
    reason: str = "",
    *,
    since: float = 190.0,
    heard: float | None = 0.0,
    links: tuple[int | None, int | None] = (5, 1),
    agreed: float | None = None,
    lag: float | None = None,
    traffic: tuple[int, int, int, int] = (0, 0, 0, 0),
    version: str = "3.0",
    remarks: Sequence[str] = (),
) -> NodeRow:
    """Return a row of the nodes view."""
    return NodeRow(
        node,
        address,
        state,
        reason,
        since,
        heard,
        *links,
        agreed,
        lag,
        *traffic,
        version,
        tuple(remarks),
    )


def a_nodes_frame(
    nodes: Sequence[NodeRow] = (), service: str = "default", node: str = "node1"
) -> NodesFrame:
    """Return a frame of the nodes view."""
    return NodesFrame(service, node, tuple(nodes))


def three_nodes() -> list[NodeRow]:
    """Return a cluster: itself, one that is up with a remark, and one that is not."""
    return [
        a_node(),
        a_node(
            "node2",
            "192.168.1.206:5800",
            since=3 * 86400.0,
            heard=0.4,
            links=(14, 0),
            agreed=1.2,
            lag=0.00042,
            traffic=(1_234_567, 45_678, 4_321, 3_210),
            remarks=["its node list differs: node3 is at 192.168.1.217:5800 there"],
        ),
        a_node(
            "node3",
            "192.168.1.207:5800",
            UNREACHABLE,
            "no connection to 192.168.1.207:5800: connection refused; node2 does not "
            "hear it either",
            since=41.0,
            heard=41.3,
            links=(None, None),
            agreed=42.0,
            lag=0.0123,
            traffic=(999, 5 * 2**30, 12, 9),
        ),
    ]


def many_programs() -> list[ProgramRow]:
    """Return rows enough to scroll: short names and long ones, one program departed."""
    rows = []
    for host in range(1, 8):
        name = f"ctl{host}" if host < 7 else "compute-node-0117.rack12.prod.example.net"
        for number, program in enumerate(
            ("cinder-api", "keystone-wsgi-public", "nova-api", "nova-conductor")
        ):
            count = host * (number + 1)
            rows.append(
                a_row(
                    name,
                    program,
                    counts=(count, 5 * count, 2 * count),
                    maxima=(count + 1, 7 * count, 3 * count),
                    rate=None if number == 3 else count * 1.7,
                )
            )
    rows[5] = departed("ctl2", "etl-nightly", rate=0.0)
    return rows


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

COUNTS = st.one_of(st.integers(0, 99999), st.integers(-(10**40), 10**40))
RATES = st.one_of(st.none(), st.floats())
ROWS = st.builds(
    a_row,
    NASTY,
    NASTY,
    connected=st.booleans(),
    counts=st.tuples(COUNTS, COUNTS, COUNTS),
    maxima=st.tuples(COUNTS, COUNTS, COUNTS),
    rate=RATES,
    stale=COUNTS,
    stale_seconds=RATES,
)
FRAMES = st.builds(
    replace,
    st.builds(a_frame, st.lists(ROWS, max_size=12), NASTY, NASTY),
    stale=COUNTS,
    nodes_up=COUNTS,
    nodes=COUNTS,
    down=st.lists(NASTY, max_size=3).map(tuple),
)
NODE_ROWS = st.builds(
    a_node,
    NASTY,
    NASTY,
    st.sampled_from(NODE_STATES),
    NASTY,
    since=st.floats(0),
    heard=RATES,
    links=st.tuples(st.none() | COUNTS, st.none() | COUNTS),
    agreed=RATES,
    lag=RATES,
    traffic=st.tuples(COUNTS, COUNTS, COUNTS, COUNTS),
    version=NASTY,
    remarks=st.lists(NASTY, max_size=3),
)
NODES_FRAMES = st.builds(a_nodes_frame, st.lists(NODE_ROWS, max_size=6), NASTY, NASTY)


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
