"""Boards for the tests of the views: one that is known by heart, and any."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st

from connmon.model.board import Board
from connmon.model.histogram import BUCKETS, Histogram
from connmon.model.records import (
    DETACHED,
    IDLE,
    LIVE,
    OUT,
    STATES,
    ConnectionRecord,
    Counters,
    Home,
    Identity,
    Maxima,
    PoolFacts,
    PoolRecord,
    Record,
    Report,
    Standing,
    WaiterRecord,
)

NOW = 1000.0
"""When the boards are looked at, by the node's clock."""

CLOCK = 500.0
"""What the clocks of processes read then: another time than the node's."""

BOUNDED = PoolFacts("pg://db:5432/x", "QueuePool", 2, 1, 30.0, 3600.0, True)
UNBOUNDED = PoolFacts("pg://db:5432/y", "QueuePool", 5, None, 10.0, -1.0)
EMPTY = PoolFacts("pg://db:5432/z", "QueuePool", 0, 10, 30.0)
NULL = PoolFacts("sqlite:///x", "NullPool")

QUICK = Histogram((0, 0, 0, 0, 0, 0, 0, 0, 0, 10, *(0,) * (BUCKETS - 10)), 7.5)
"""Ten times between half a second and one."""


SITES = ("a.py:1 f", "", "b.py:2 g")
TAGS = ("", "web")


def pool(id: int, facts: PoolFacts, counters: Counters | None = None) -> PoolRecord:
    """A pool that has been used now and then."""
    return PoolRecord(
        id, facts, counters or Counters(), Maxima(7, 6), QUICK, Histogram()
    )


def connection(
    id: int, state: int, ago: float, of: int = 1, owner: str = ""
) -> ConnectionRecord:
    """A connection that has been in its state for ``ago`` seconds."""
    return ConnectionRecord(id, of, state, CLOCK - ago, CLOCK - 400.0, 9, owner)


def told(board: Board, who: Identity, report: Report, now: float = NOW) -> None:
    """A process that is linked to the board's own node says something."""
    if report.base is None:
        assert board.registered(who, 1)
    verdict = board.reported(who.process, 1, report, now)
    assert verdict.value == "applied", verdict


def passed_on(
    board: Board, who: Identity, report: Report, home: Home, unheard: float
) -> None:
    """A process says something to another node, which nobody has heard for so long."""
    standing = Standing(1, report.sequence, LIVE)
    assert board.adopted(Record(who, standing, home, 0.0, unheard, report), NOW)


def a_board() -> Board:
    """The board that is known by heart, as it is at ``NOW``.

    Host ``a`` has two processes of ``api``, the first with a full pool, and ``batch``,
    which departed; host ``b`` has a process of ``api`` at a node that nobody hears,
    with pools that have no bound.
    """
    board = Board("default", "node1")
    first = Identity("p1", "a", "api", 11)
    before = Report(0, None, CLOCK - 100.0, 1.0, Counters(100, 97, 5, 1), Maxima(5, 3))
    told(board, first, before, NOW - 100.0)
    counters = Counters(120, 117, 7, 1, 2, 3, 4)
    told(
        board,
        first,
        Report(
            1,
            0,
            CLOCK,
            2.5,
            counters,
            Maxima(5, 4),
            (pool(1, BOUNDED, counters), pool(2, UNBOUNDED)),
            (
                connection(1, OUT, 40.0, owner="MainThread"),
                connection(2, OUT, 5.0),
                connection(3, OUT, 1.0),
                connection(4, IDLE, 8.0, of=2),
                connection(5, DETACHED, 50.0, of=2),
            ),
            began=CLOCK - 200.0,
        ),
        NOW,
    )
    second = Report(
        0,
        None,
        CLOCK,
        1.0,
        Counters(10, 9, 1),
        Maxima(2, 2),
        (pool(1, BOUNDED),),
        (connection(1, OUT, 10.0), connection(2, IDLE, 20.0)),
    )
    told(board, Identity("p2", "a", "api", 12), second)
    third = Identity("p3", "a", "batch", 13)
    told(board, third, replace(second, counters=Counters(4, 4, 2, 0, 2)), NOW - 20.0)
    assert board.departed("p3", 1, NOW - 10.0)
    fourth = replace(
        second,
        pools=(pool(1, EMPTY), pool(2, NULL)),
        connections=(connection(1, OUT, 2.0, of=2),),
        counters=Counters(1, 0, 1),
        maxima=Maxima(1, 1),
    )
    home = Home("node2", "i2")
    passed_on(board, Identity("p4", "b", "api", 11), fourth, home, unheard=11.0)
    return board


# Any board.


@dataclass(frozen=True)
class Some:
    """A process, and what there is to know of it."""

    hostname: str
    program: str
    pid: int
    pools: tuple[PoolFacts, ...]
    #: Pool, state, and seconds in that state.
    connections: tuple[tuple[int, int, float], ...]
    checkouts: int
    #: How long nobody has heard its node; ``None`` if it is linked to ours.
    unheard: float | None
    departed: bool
    #: Pool, and seconds for which someone has waited for it.
    waits: tuple[tuple[int, float], ...] = ()
    #: How many timed out just now, if it is linked to ours.
    timeouts: int = 0
    #: How many could not be connected, and leaked, just now, if it is linked to ours.
    failures: int = 0
    leaks: int = 0
    #: Which connections are in a transaction, and for how long nothing was done in it.
    quiet: tuple[tuple[int, float], ...] = ()
    #: Which connections nobody can return.
    lost: tuple[int, ...] = ()

    def report(self) -> Report:
        """All of it."""
        out = [state for _, state, _ in self.connections].count(OUT)
        return Report(
            0,
            None,
            CLOCK,
            1.0,
            Counters(self.checkouts, 0, len(self.connections)),
            Maxima(len(self.connections), out),
            tuple(pool(id, facts) for id, facts in enumerate(self.pools)),
            tuple(
                self._connection(id, number, state, ago)
                for id, (number, state, ago) in enumerate(self.connections)
            )
            if self.pools
            else (),
            waiting=len(self._waiters()),
            waiters=self._waiters(),
        )

    def _connection(
        self, id: int, number: int, state: int, ago: float
    ) -> ConnectionRecord:
        quiet = dict(self.quiet).get(id)
        since = None if quiet is None else CLOCK - quiet
        return connection(id, state, ago, of=number % len(self.pools))._replace(
            transaction=since,
            quiet=since,
            leak="gone" if id in self.lost else "",
            site=SITES[id % len(SITES)] if state == OUT else "",
            tag=TAGS[id % len(TAGS)] if state == OUT else "",
        )

    def _waiters(self) -> tuple[WaiterRecord, ...]:
        if not self.pools:
            return ()
        return tuple(
            WaiterRecord(
                number % len(self.pools), CLOCK - ago, "t", SITES[-1], tag=TAGS[-1]
            )
            for number, ago in self.waits
        )


AGES = st.sampled_from((0.0, 1.0, 29.0, 30.0, 31.0, 100.0)) | st.floats(0.0, 200.0)

SOME = st.builds(
    Some,
    st.sampled_from(("a", "b", "Ä")),
    st.sampled_from(("api", "batch", "")),
    st.integers(1, 3),
    st.lists(st.sampled_from((BOUNDED, UNBOUNDED, EMPTY, NULL)), max_size=2).map(tuple),
    st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from(STATES), AGES), max_size=5
    ).map(tuple),
    st.integers(0, 100),
    st.none() | st.sampled_from((0.0, 3.0, 5.0, 11.0)),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 1), AGES), max_size=3).map(tuple),
    st.sampled_from((0, 0, 0, 1, 7)),
    st.sampled_from((0, 0, 0, 1)),
    st.sampled_from((0, 0, 0, 1)),
    st.lists(st.tuples(st.integers(0, 4), AGES), max_size=1).map(tuple),
    st.lists(st.integers(0, 20), max_size=1).map(tuple),
)


@st.composite
def boards(draw: st.DrawFn) -> Board:
    """Boards with a few processes, some of which say something twice."""
    board = Board("default", "node1")
    for number, some in enumerate(draw(st.lists(SOME, max_size=8))):
        who = Identity(f"p{number}", some.hostname, some.program, some.pid)
        if some.unheard is None:
            _tell(board, who, some)
        else:
            home = Home(f"node{2 + number % 2}", "i")
            passed_on(board, who, some.report(), home, some.unheard)
    return board


def _tell(board: Board, who: Identity, some: Some) -> None:
    first = some.report()
    told(board, who, first, NOW - 5.0)
    # What timed out in a process that is gone is no process's any more.
    counts = not some.departed and bool(some.pools)
    lost = Counters(
        connect_failures=some.failures, timeouts=some.timeouts, leaks=some.leaks
    )
    lost = lost if counts else Counters()
    more = Counters(some.checkouts + 30, 0, len(some.connections)).plus(lost)
    second = replace(first, sequence=1, base=0, counters=more, connections=())
    told(
        board,
        who,
        replace(
            second,
            pools=tuple(
                pool(id, facts, lost if id == 0 else Counters())
                for id, facts in enumerate(some.pools)
            ),
        ),
        NOW,
    )
    if some.departed:
        assert board.departed(who.process, 1, NOW)
