"""The view of timeouts: what was so when pools had no connection to give."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connmon.console.picture import as_line, of_line
from connmon.model.board import Board
from connmon.model.records import (
    LONGEST,
    Counters,
    Holder,
    Identity,
    Incident,
    InLine,
    Maxima,
    Report,
)
from connmon.views.fleet import Fleet
from connmon.views.frame import Frame
from connmon.views.query import Query
from connmon.views.recorded import WHOLE, Recorded
from connmon.views.schema import TIMEOUTS, Taking
from tests.views.boards import BOUNDED, CLOCK, NOW, told

SITE = "shop/db.py:88 hold"


def incident(number: int, ago: float, holders: int = 2) -> Incident:
    """One of so long ago."""
    return Incident(
        number,
        1,
        CLOCK - ago,
        4,
        BOUNDED,
        InLine(CLOCK - ago - 30.0, "victim", SITE, False, "import"),
        3,
        tuple(
            Holder(
                id, CLOCK - ago - 9.0, f"t{id}", SITE, 40 + id, f"10.0.0.{id}:5", "web"
            )
            for id in range(holders)
        ),
        1,
        (InLine(CLOCK - ago - 2.0, "next", "", False, "web"),),
    )


def a_board(*incidents: Incident) -> Board:
    """A board that knows of these."""
    board = Board("s", "n")
    report = Report(0, None, CLOCK, 1.0, Counters(timeouts=4), Maxima())
    told(board, Identity("p1", "h", "api", 7), replace(report, incidents=incidents))
    return board


def rows(frame: Frame) -> list[dict[str, Any]]:
    """The rows, by the names of their fields."""
    return [dict(zip(frame.fields, row, strict=True)) for row in frame.rows]


class TimeoutsTests(SynchronousTestCase):
    """The rows of ``timeouts``."""

    def test_a_row(self) -> None:
        """It says whose it was, who held, who waited, and how long ago."""
        frame = Fleet(a_board(incident(1, 5.0))).answer(Query(TIMEOUTS), NOW)
        self.assertEqual(
            [
                {
                    "age_seconds": 5.0,
                    "hostname": "h",
                    "progname": "api",
                    "pid": 7,
                    "process": "p1",
                    "number": 1,
                    "pool_id": 1,
                    "pool_name": BOUNDED.name,
                    "capacity": 3,
                    "held": 3,
                    "waiting": 1,
                    "timeouts": 4,
                    "waited_seconds": 30.0,
                    "owner": "victim",
                    "tag": "import",
                    "site": SITE,
                    "holders": (
                        Taking(SITE, "t0", 9.0, 40, "10.0.0.0:5", "web"),
                        Taking(SITE, "t1", 9.0, 41, "10.0.0.1:5", "web"),
                    ),
                    "waiters": (Taking("", "next", 2.0, tag="web"),),
                }
            ],
            rows(frame),
        )

    def test_the_newest_first(self) -> None:
        """Also when the process has ended."""
        board = a_board(incident(1, 50.0), incident(2, 5.0), incident(3, 20.0))
        self.assertTrue(board.departed("p1", 1, NOW + 1.0))
        frame = Fleet(board).answer(Query(TIMEOUTS), NOW + 2.0)
        self.assertEqual([2, 3, 1], [row["number"] for row in rows(frame)])
        self.assertEqual(7.0, rows(frame)[0]["age_seconds"])

    def test_filters_and_orders(self) -> None:
        """A line is found among the holders; by these, the most are first or last."""
        few, many = incident(1, 5.0, holders=1), incident(2, 9.0, holders=3)
        fleet = Fleet(a_board(few, many))
        for query, expected in (
            (Query(TIMEOUTS, where=("holders:t2",)), [2]),
            (Query(TIMEOUTS, where=('"db.py:88"',)), [1, 2]),
            (Query(TIMEOUTS, where=("nowhere",)), []),
            (Query(TIMEOUTS, sort="-holders"), [2, 1]),
            (Query(TIMEOUTS, sort="holders"), [1, 2]),
        ):
            found = rows(fleet.answer(query, NOW))
            self.assertEqual(expected, [row["number"] for row in found], query)

    def test_records_that_are_alike(self) -> None:
        """They can be sorted by, whatever is not known of them."""
        same = incident(1, 5.0)._replace(
            holders=(Holder(1, 1.0, "t", SITE, 7), Holder(2, 1.0, "t", SITE))
        )
        other = same._replace(number=2, holders=same.holders[::-1])
        frame = Fleet(a_board(same, other)).answer(
            Query(TIMEOUTS, sort="-holders"), NOW
        )
        self.assertEqual(2, frame.count)

    def test_clocks_that_cannot_be(self) -> None:
        """Durations stay such that whoever looks can read them."""
        odd = incident(1, 5.0)._replace(at=1.7e308)
        since = -1.7e308
        odd = odd._replace(
            victim=odd.victim._replace(since=since),
            holders=tuple(each._replace(since=since) for each in odd.holders),
            waiters=tuple(each._replace(since=since) for each in odd.waiters),
        )
        frame = Fleet(a_board(odd)).answer(Query(TIMEOUTS), NOW)
        (row,) = rows(frame)
        takings = (*row["holders"], *row["waiters"])
        found = {row["waited_seconds"], *(each.seconds for each in takings)}
        self.assertEqual({LONGEST}, found)

    def test_recorded(self) -> None:
        """A recording shows the same."""
        fleet = Fleet(a_board(incident(1, 5.0), incident(2, 1.0)))
        frames = of_line(as_line(fleet.answers(WHOLE, NOW)))
        table = Recorded(frames).table(TIMEOUTS, {}, NOW)
        expected = fleet.answer(Query(TIMEOUTS), NOW).rows
        self.assertEqual(
            list(expected),
            [tuple(read(e) for read in table.values.values()) for e in table.entries],
        )
