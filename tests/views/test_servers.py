"""The views of database servers, and what the header says of them."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connmon.model.board import Board
from connmon.model.records import (
    IDLE,
    OUT,
    ConnectionRecord,
    Counters,
    Identity,
    Maxima,
    PoolFacts,
    Report,
    WaiterRecord,
)
from connmon.views.alert import CRIT, OK, WARN
from connmon.views.fleet import Fleet
from connmon.views.frame import Frame
from connmon.views.query import Query
from connmon.views.schema import SERVERS, SHARES
from tests.views.boards import CLOCK, NOW, pool, told

NOVA = "mysql+pymysql://db/nova"


def facts(name: str, size: int = 5, overflow: int | None = 10) -> PoolFacts:
    """A QueuePool of so many places for a database."""
    return PoolFacts(name, "QueuePool", size, overflow, 30.0)


def runs(
    board: Board,
    program: str,
    *pools: PoolFacts,
    host: str = "ctl1",
    processes: int = 1,
    out: int = 0,
    idle: int = 0,
    waiting: int = 0,
) -> None:
    """A program has processes with these pools; connections are of the first."""
    states = [OUT] * out + [IDLE] * idle
    for number in range(processes):
        who = Identity(f"{host}{program}{number}", host, program, number)
        report = Report(
            0,
            None,
            CLOCK,
            1.0,
            Counters(),
            Maxima(),
            tuple(pool(id, each) for id, each in enumerate(pools)),
            tuple(
                ConnectionRecord(id, 0, state, CLOCK, CLOCK, 1, "")
                for id, state in enumerate(states)
            ),
            waiting=waiting,
            waiters=(WaiterRecord(0, CLOCK, "t"),) * waiting,
        )
        told(board, who, report)


def rows(frame: Frame) -> list[dict[str, Any]]:
    """The rows, by the names of their fields."""
    return [dict(zip(frame.fields, row, strict=True)) for row in frame.rows]


class ServerTests(SynchronousTestCase):
    """The rows of ``servers`` and of ``shares``."""

    def setUp(self) -> None:
        """Know nothing yet."""
        self.board = Board("s", "n")

    def seen(self, view: str = SERVERS, **limits: int) -> list[dict[str, Any]]:
        """The rows of a view; ``db_3306`` stands for ``db:3306``."""
        known = {name.replace("_", ":"): limit for name, limit in limits.items()}
        return rows(Fleet(self.board, limits=known).answer(Query(view), NOW))

    def test_the_issue(self) -> None:
        """2600 of 255, and one more worker adds 30."""
        runs(self.board, "nova-api", facts(NOVA, 10, 20), processes=80, out=1, idle=1)
        runs(self.board, "glance", facts("mysql://db:3306/g", 20, 0), processes=10)
        (row,) = self.seen(db_3306=255)
        self.assertEqual(
            {
                "server": "db:3306",
                "hostname": None,
                "limit": 255,
                "worst_case": 2600,
                "unbounded": 0,
                "conn": 160,
                "ckout": 80,
                "used": 160 / 255,
                "programs": 2,
                "nproc": 90,
                "largest": "ctl1 nova-api",
                "largest_share": 2400 / 2600,
                "adds": 30,
                "alert": WARN,
                "reason": "worst case 2600 of 255",
            },
            row,
        )
        head = Fleet(self.board, limits={"db:3306": 255}).head(NOW)
        self.assertEqual((0, 1), (head.crit, head.warn))
        self.assertEqual(
            "db:3306: worst case 2600 of 255; one more nova-api worker adds 30",
            head.worst,
        )

    def test_shares(self) -> None:
        """Each program's part, the largest first; what one more process adds."""
        runs(self.board, "api", facts(NOVA, 10, 20), processes=2, out=3)
        runs(self.board, "api", facts(NOVA), host="ctl2")
        runs(self.board, "web", facts(NOVA, 5, None))
        found = [
            (
                row["server"],
                row["hostname"],
                row["progname"],
                row["nproc"],
                row["worst_case"],
                row["unbounded"],
                row["conn"],
                row["share"],
                row["adds"],
                row["alert"],
                row["reason"],
            )
            for row in self.seen(SHARES)
        ]
        self.assertEqual(
            [
                ("db:3306", "ctl1", "api", 2, 60, 0, 6, 0.8, 30, OK, ""),
                ("db:3306", "ctl2", "api", 1, 15, 0, 0, 0.2, 15, OK, ""),
                (
                    *("db:3306", "ctl1", "web", 1, 0, 1, 0, 0.0, None),
                    *(WARN, "1 pool without a bound"),
                ),
            ],
            found,
        )

    def test_one_servers_shares(self) -> None:
        """As opening a server asks for them; on localhost those of that host."""
        for host in ("a", "b"):
            runs(self.board, "x", facts("mysql://localhost/x"), host=host)
        runs(self.board, "y", facts(NOVA), facts("mysql://localhost/y"), host="b")
        fleet = Fleet(self.board)
        for scope, expected in (
            ((("server", "db:3306"),), [("b", "y")]),
            (
                (("server", "localhost:3306"), ("hostname", "b")),
                [("b", "x"), ("b", "y")],
            ),
            ((("server", "nowhere"),), []),
        ):
            found = rows(fleet.answer(Query(SHARES, scope=scope), NOW))
            self.assertEqual(
                expected, [(row["hostname"], row["progname"]) for row in found]
            )
        self.assertEqual(
            [("db:3306", None), ("localhost:3306", "a"), ("localhost:3306", "b")],
            [(row["server"], row["hostname"]) for row in self.seen()],
        )

    def test_alerts(self) -> None:
        """80 % open is a warning, 95 % critical, and so much may not be open at all."""
        for opened, limit, places, alert, reason in (
            (79, 100, 100, OK, ""),
            (80, 100, 100, WARN, "80 of 100 connections open"),
            (94, 100, 100, WARN, "94 of 100 connections open"),
            (95, 100, 100, CRIT, "95 of 100 connections open"),
            (1, 100, 101, WARN, "worst case 101 of 100"),
            (
                *(120, 100, 120, CRIT),
                "120 of 100 connections open, worst case 120 of 100",
            ),
        ):
            self.board = Board("s", "n")
            runs(self.board, "x", facts(NOVA, places, 0), idle=opened)
            (row,) = self.seen(db_3306=limit)
            self.assertEqual((alert, reason), (row["alert"], row["reason"]), opened)

    def test_unbounded(self) -> None:
        """It is a warning in the row; in the header only where a limit is known."""
        runs(self.board, "x", PoolFacts(NOVA, "NullPool"), facts(NOVA, 5, None))
        (row,) = self.seen()
        self.assertEqual(
            (0, 2, None, None, WARN, "2 pools without a bound"),
            tuple(
                row[name]
                for name in (
                    *("worst_case", "unbounded", "adds", "largest_share"),
                    *("alert", "reason"),
                )
            ),
        )
        self.assertEqual("", Fleet(self.board).head(NOW).worst)
        head = Fleet(self.board, limits={"db": 100}).head(NOW)
        self.assertEqual("db:3306: 2 pools without a bound", head.worst)

    def test_limits(self) -> None:
        """That of the port, or else of the host, or else what was read."""
        runs(self.board, "x", facts(NOVA)._replace(limit=151))
        for limits, expected in (
            ({"db_3306": 10, "db": 20}, 10),
            ({"db": 20, "other": 5}, 20),
            ({"db_3307": 20}, 151),
            ({}, 151),
        ):
            (row,) = self.seen(SERVERS, **limits)
            self.assertEqual(expected, row["limit"])

    def test_what_is_worse(self) -> None:
        """A program comes before a server that is no worse; and only then."""
        runs(self.board, "x", facts(NOVA, 5, 0), out=5)
        for limit, crit, warn, begin in (
            (100, 0, 1, "ctl1 x BUSY: pool full"),
            (4, 1, 1, "db:3306: 5 of 4 connections open"),
        ):
            head = Fleet(self.board, limits={"db": limit}).head(NOW)
            self.assertEqual((crit, warn), (head.crit, head.warn))
            self.assertTrue(head.worst.startswith(begin), head.worst)
        runs(self.board, "y", facts(NOVA, 1, 0), out=1, waiting=1)
        head = Fleet(self.board, limits={"db": 4}).head(NOW)
        self.assertEqual((2, 1), (head.crit, head.warn))
        self.assertTrue(head.worst.startswith("ctl1 y BUSY: 1 waiting"), head.worst)

    def test_the_departed(self) -> None:
        """What has ended asks for nothing."""
        runs(self.board, "x", facts(NOVA), processes=2)
        self.assertTrue(self.board.departed("ctl1x0", 1, NOW))
        self.assertEqual([15], [row["worst_case"] for row in self.seen()])
        self.assertTrue(self.board.departed("ctl1x1", 1, NOW))
        self.assertEqual([], self.seen())
        self.assertEqual([], self.seen(SHARES))

    def test_files(self) -> None:
        """They are no servers."""
        runs(self.board, "x", facts("sqlite:///x"))
        self.assertEqual([], self.seen())
