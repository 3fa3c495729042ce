"""Transactions, and whether they are idle, as the views of a board tell it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from connmon.model.board import Board
from connmon.model.records import (
    DETACHED,
    IDLE,
    OUT,
    ConnectionRecord,
    Counters,
    Identity,
    Maxima,
    Report,
)
from connmon.views.alert import OK, WARN
from connmon.views.fleet import Fleet
from connmon.views.query import Query
from connmon.views.recorded import WHOLE, Recorded
from connmon.views.schema import (
    CHECKOUTS,
    CONNECTIONS,
    HOSTS,
    POOLS,
    PROCESSES,
    PROGRAMS,
)
from tests.views.boards import BOUNDED, CLOCK, NOW, boards, connection, pool, told

SAID = "idle in transaction 35s, transaction open 40s"


def busy(
    id: int, began: float, quiet: float | None, state: int = OUT, of: int = 1
) -> ConnectionRecord:
    """A connection that is in a transaction, and perhaps idle in it."""
    return connection(id, state, 20.0, of)._replace(
        transaction=CLOCK - began, quiet=None if quiet is None else CLOCK - quiet
    )


REPORT = Report(
    0,
    None,
    CLOCK,
    1.0,
    Counters(9),
    Maxima(5, 3),
    (pool(1, BOUNDED), pool(2, BOUNDED)),
    (
        busy(1, 12.0, None),
        busy(2, 19.0, 18.0),
        connection(3, OUT, 20.0, of=2),
        busy(4, 40.0, 35.0, DETACHED, of=2),
        connection(5, IDLE, 300.0),
    ),
)


def a_board(report: Report = REPORT, *, others: bool = True) -> Board:
    """A program with long transactions, and others where all is well."""
    board = Board("s", "n")
    if others:
        well = replace(REPORT, connections=(busy(1, 1.0, 1.0),))
        told(board, Identity("p2", "h", "api", 8), well)
        told(board, Identity("p3", "h", "batch", 9), replace(well, connections=()))
    told(board, Identity("p1", "h", "api", 7), report)
    return board


def rows(board: Board, view: str) -> list[dict[str, Any]]:
    """The rows of a view, by the names of their fields."""
    frame = Fleet(board).answer(Query(view), NOW)
    return [dict(zip(frame.fields, row, strict=True)) for row in frame.rows]


class TransactionTests(SynchronousTestCase):
    """The longest one, everywhere."""

    def test_connections(self) -> None:
        """Each for how long it is in one, and idle in that; and if that is too long."""
        found = rows(a_board(others=False), CONNECTIONS)
        told_ = {
            each["connection"]: (each["txn_seconds"], each["txn_idle_seconds"])
            for each in found
        }
        none = (None, None)
        expected = {1: (12.0, None), 2: (19.0, 18.0), 3: none, 4: (40.0, 35.0), 5: none}
        self.assertEqual(expected, told_)
        self.assertEqual(
            [(4, SAID)],
            [
                (each["connection"], each["reason"])
                for each in found
                if each["alert"] != OK
            ],
        )

    def test_checkouts(self) -> None:
        """Those of them that are out."""
        found = rows(a_board(others=False), CHECKOUTS)
        self.assertEqual(
            {1: 12.0, 2: 19.0, 3: None},
            {each["connection"]: each["txn_seconds"] for each in found},
        )

    def test_pools(self) -> None:
        """The longest of each, also of a detached connection."""
        first, second = rows(a_board(others=False), POOLS)
        self.assertEqual((19.0, OK), (first["txn_seconds"], first["alert"]))
        self.assertEqual((40.0, WARN), (second["txn_seconds"], second["alert"]))
        self.assertEqual(
            "idle in transaction 35s, transaction open 40s", second["reason"]
        )

    def test_processes(self) -> None:
        """The longest of its pools."""
        found = {each["process"]: each for each in rows(a_board(), PROCESSES)}
        self.assertEqual(
            {"p1": 40.0, "p2": 1.0, "p3": None},
            {name: each["txn_seconds"] for name, each in found.items()},
        )
        self.assertEqual((WARN, OK), (found["p1"]["alert"], found["p2"]["alert"]))

    def test_programs_and_hosts(self) -> None:
        """The longest of their processes."""
        api, batch = rows(a_board(), PROGRAMS)
        self.assertEqual((40.0, None), (api["txn_seconds"], batch["txn_seconds"]))
        (host,) = rows(a_board(), HOSTS)
        for each in (api, host):
            self.assertEqual((40.0, WARN), (each["txn_seconds"], each["alert"]))
            self.assertIn(
                "idle in transaction 35s, transaction open 40s", each["reason"]
            )

    def test_the_head(self) -> None:
        """The longest of all, and what is worst in words."""
        head = Fleet(a_board()).head(NOW)
        self.assertEqual((40.0, 1), (head.txn_seconds, head.warn))
        self.assertEqual(f"h api IDLE-IN-TXN: {SAID}", head.worst)

    def test_of_a_detached_connection_only(self) -> None:
        """It is found where nothing else is out, and forgotten when it is closed."""
        apart = replace(REPORT, connections=(busy(4, 40.0, 35.0, DETACHED),))
        board = a_board(apart, others=False)
        self.assertEqual(40.0, Fleet(board).head(NOW).txn_seconds)
        self.assertEqual(WARN, rows(board, PROGRAMS)[0]["alert"])
        gone = replace(apart, sequence=1, base=0, connections=(), closed=(4,))
        told(board, Identity("p1", "h", "api", 7), gone)
        self.assertIsNone(Fleet(board).head(NOW).txn_seconds)

    def test_it_ends(self) -> None:
        """Then it is none any more, nor wrong."""
        board = a_board(others=False)
        over = replace(
            REPORT,
            sequence=1,
            base=0,
            pools=(),
            connections=tuple(
                each._replace(transaction=None, quiet=None)
                for each in REPORT.connections
            ),
        )
        told(board, Identity("p1", "h", "api", 7), over)
        self.assertEqual(
            {None},
            {
                row["txn_seconds"]
                for view in (PROGRAMS, HOSTS, PROCESSES, POOLS, CONNECTIONS)
                for row in rows(board, view)
            },
        )
        self.assertIsNone(Fleet(board).head(NOW).txn_seconds)

    def test_nobody_tells(self) -> None:
        """It is not known, of an older program or one that was not asked."""
        plain = tuple(
            ConnectionRecord(*each[:11], leak="") for each in REPORT.connections
        )
        board = a_board(replace(REPORT, connections=plain), others=False)
        self.assertIsNone(Fleet(board).head(NOW).txn_seconds)
        self.assertEqual({None}, {r["txn_seconds"] for r in rows(board, CONNECTIONS)})

    def test_recorded(self) -> None:
        """A recording tells the same."""
        fleet = Fleet(a_board())
        recorded = Recorded(fleet.answers(WHOLE, NOW))
        for view in (PROGRAMS, HOSTS, PROCESSES, POOLS, CONNECTIONS, CHECKOUTS):
            table = recorded.table(view, {}, NOW)
            told_ = [table.values["txn_seconds"](each) for each in table.entries]
            expected = [each["txn_seconds"] for each in rows(a_board(), view)]
            self.assertEqual(sorted(map(str, expected)), sorted(map(str, told_)), view)

    @given(boards())
    def test_the_longest_on_any_board(self, board: Board) -> None:
        """It is that of a connection, in whatever is summed up."""
        found = [row["txn_seconds"] for row in rows(board, CONNECTIONS)]
        longest = max((each for each in found if each is not None), default=None)
        for view in (PROGRAMS, HOSTS, PROCESSES, POOLS):
            summed = [row["txn_seconds"] for row in rows(board, view)]
            known = [each for each in summed if each is not None]
            self.assertEqual(longest, max(known, default=None), view)
        self.assertEqual(longest, Fleet(board).head(NOW).txn_seconds)
