"""A source without a network, and a terminal that keeps what is drawn on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from connmon.console.ansi import Painter
from connmon.console.holders import Whose
from connmon.console.text import Line
from connmon.views.answer import answer
from connmon.views.frame import Frame, Gauge, Head, Row
from connmon.views.query import Query
from connmon.views.recorded import Recorded
from connmon.views.schema import PROGRAMS, VIEWS, Kind, Taking, Tally
from tests.console.fakes import NASTY, plain, widest
from tests.console.frames import FRAMES, HEAD, a_frame, a_program

NODE1, NODE2 = "10.0.0.1:5800", "10.0.0.2:5800"


def many(count: int) -> list[Row]:
    """Programs ``p0000``, ``p0001`` and so on, of which that is the order."""
    return [a_program("ctl1", f"p{number:04}") for number in range(count)]


_COUNTS = st.integers(0, 2**63 - 1)
_SECONDS = st.floats(0, 1e9)
_TOLD: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: NASTY,
    Kind.TEXTS: st.lists(NASTY, max_size=3).map(tuple),
    Kind.COUNT: _COUNTS,
    Kind.SECONDS: _SECONDS,
    Kind.RATE: _SECONDS,
    Kind.RATIO: st.floats(0, 1000),
    Kind.FLAG: st.booleans(),
    Kind.SERIES: st.lists(_SECONDS, max_size=20).map(tuple),
    Kind.RECORDS: st.lists(
        st.builds(Taking, NASTY, NASTY, _SECONDS, st.none() | _COUNTS), max_size=3
    ).map(tuple),
    Kind.TALLIES: st.lists(st.builds(Tally, NASTY, _COUNTS), max_size=3).map(tuple),
}
_GAUGES = st.builds(Gauge, _COUNTS, _COUNTS)
TOLD_HEADS = st.builds(
    Head,
    NASTY,
    NASTY,
    _GAUGES,
    _GAUGES,
    _GAUGES,
    _GAUGES,
    per_second=st.none() | _SECONDS,
    history=st.lists(_SECONDS, max_size=20).map(tuple),
    stale=_COUNTS,
    waiting=st.none() | _COUNTS,
    wait_p99_seconds=st.none() | _SECONDS,
    timeouts=st.none() | _COUNTS,
    oldest_seconds=st.none() | _SECONDS,
    txn_seconds=st.none() | _SECONDS,
    crit=_COUNTS,
    warn=_COUNTS,
    worst=NASTY,
    nodes_up=_COUNTS,
    nodes=_COUNTS,
    down=st.lists(NASTY, max_size=3).map(tuple),
)


@st.composite
def told_frames(draw: st.DrawFn, view: str) -> Frame:
    """Frames as a node, perhaps of another version, may have made them."""
    every = VIEWS[view].fields
    some = draw(st.sets(st.sampled_from(range(len(every))), max_size=8))
    fields = [every[index] for index in sorted(some)]
    row = st.tuples(*[st.none() | _TOLD[each.kind] for each in fields])
    rows = tuple(draw(st.lists(row, max_size=2)))
    return Frame(
        draw(TOLD_HEADS),
        view,
        tuple(each.name for each in fields),
        rows,
        count=len(rows),
        total=len(rows),
    )


class Question(NamedTuple):
    """What a source was asked for."""

    query: Query
    interval: float


class FakeSource:
    """Answers as a node does, when the test says so."""

    def __init__(self) -> None:
        """Have the rows of a fleet with troubles."""
        self.frames = dict(FRAMES)
        self.asked: list[Question] = []
        self.started = self.stopped = 0
        #: Whose stacks were asked for, each with the answer that the test gives.
        self.stacked: list[tuple[Whose, Deferred[Any]]] = []

    def have(self, rows: Sequence[Row], view: str = PROGRAMS) -> None:
        """Have these rows of a view."""
        self.frames[view] = a_frame(view, list(rows))

    def watch(self, queries: Sequence[Query], interval: float) -> int:
        """Remember the question; its number."""
        (query,) = queries
        self.asked.append(Question(query, interval))
        return len(self.asked)

    def stacks(self, whose: Whose) -> Deferred[Any]:
        """Remember whose stacks are wanted; the test answers."""
        self.stacked.append((whose, Deferred()))
        return self.stacked[-1][1]

    def start(self) -> None:
        """Count."""
        self.started += 1

    def stop(self) -> None:
        """Count."""
        self.stopped += 1

    @property
    def query(self) -> Query:
        """What was asked for last."""
        return self.asked[-1].query

    def feed(
        self,
        viewer: Any,
        number: int | None = None,
        origin: str = NODE1,
        at: float = 1e9,
    ) -> Frame:
        """Show the answer to a question, the newest if no ``number`` is given."""
        number = len(self.asked) if number is None else number
        query = self.asked[number - 1].query
        frame = answer(Recorded(self.frames.values()), HEAD, query, 0.0)
        viewer.shown((frame,), number, origin, at)
        return frame


class FakeTerminal:
    """A terminal that keeps what is drawn on it.

    It fails whatever draws on it if that does not fit exactly.
    """

    def __init__(self, width: int = 100, height: int = 24) -> None:
        """Begin blank."""
        self.size = (width, height)
        self.drawn: list[str] = []
        self.draws = 0
        self.painters: list[Painter] = []
        self.statuses: list[int] = []

    def draw(self, lines: Sequence[Line]) -> None:
        """Keep the lines."""
        width, height = self.size
        assert len(lines) == height, f"{len(lines)} lines, not {height}"
        assert widest(lines) <= width, plain(lines)
        self.draws += 1
        self.drawn = plain(lines)

    def repaint(self, painter: Painter) -> None:
        """Keep the painter."""
        self.painters.append(painter)

    def stop(self, status: int) -> None:
        """Keep the status."""
        self.statuses.append(status)

    @property
    def text(self) -> str:
        """All that is to be seen."""
        return "\n".join(self.drawn)
