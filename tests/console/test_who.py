"""Tests of ``connmon who``: what is asked for, in which steps, and how it is told."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from connmon.config import Address
from connmon.console import sought
from connmon.console.holders import Whose
from connmon.console.text import ASCII
from connmon.console.who import (
    MOST,
    Found,
    Inquiry,
    as_json,
    as_text,
    parse,
)
from connmon.errors import ConnmonError
from connmon.views.answer import answer
from connmon.views.frame import Frame
from connmon.views.query import Query
from connmon.views.recorded import Recorded
from connmon.views.schema import CONNECTIONS, VIEWS
from tests.console.frames import HEAD, a_frame, a_row
from tests.console.sources import told_frames

NOW = 1_700_000_000.0

BUSY: dict[str, Any] = {
    "hostname": "ctl1",
    "progname": "nova-api",
    "pid": 11200,
    "process": "token0",
    "pool_id": 1,
    "pool_name": "postgresql+psycopg2://db1.prod:5432/nova",
    "connection": 1,
    "server_session": 48197,
    "address": "10.0.0.5:53211",
    "state": "out",
    "out_seconds": 38.2,
    "age_seconds": 9000.0,
    "uses": 55088,
    "owner": "worker-3",
    "tag": "import-job",
    "site": "nova/api/orders.py:88 create",
}
IDLE = {
    **BUSY,
    "connection": 2,
    "server_session": 48198,
    "address": "10.0.0.5:5321",
    "state": "idle",
    "out_seconds": None,
    "idle_seconds": 2.5,
    "owner": None,
    "tag": None,
    "site": None,
}
ELSEWHERE = {
    **BUSY,
    "hostname": "ctl2",
    "process": "token1",
    "pool_name": "mysql+pymysql://db2.prod:3306/nova",
    "address": None,
    "stale_seconds": 11.04,
}
SECRET = {**BUSY, "connection": 3, "server_session": None, "address": None}


class Node:
    """A source that answers when the test says so."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        """Have these connections."""
        given = [a_row(CONNECTIONS, **each) for each in rows]
        self.table = Recorded([a_frame(CONNECTIONS, given)])
        self.asked: list[Sequence[Query]] = []

    def watch(self, queries: Sequence[Query], interval: float) -> int:
        """Remember the question; its number."""
        self.asked.append(queries)
        return len(self.asked)

    def stacks(self, whose: Whose) -> Deferred[Any]:
        """Nobody asks for them."""
        raise NotImplementedError

    def start(self) -> None:
        """Nothing happens by itself."""

    def stop(self) -> None:
        """Likewise."""

    def frames(self) -> tuple[Frame, ...]:
        """What answers the last question."""
        return tuple(answer(self.table, HEAD, each, 0.0) for each in self.asked[-1])


class InquiryTests(SynchronousTestCase):
    """Questions and answers."""

    def setUp(self) -> None:
        """Nothing was written."""
        self.out, self.err = io.StringIO(), io.StringIO()
        self.statuses: list[int] = []

    def inquiry(self, node: Node, *asked: str) -> Inquiry:
        """One that has begun to ask."""
        wanted = list(map(sought.parse, asked))
        made = Inquiry(self.out, self.err, wanted, as_json, self.statuses.append)
        made.begin(node)
        return made

    def told(self, *asked: str) -> list[dict[str, Any]]:
        """What is written when a node has answered all there is to ask."""
        node = Node(BUSY, IDLE, ELSEWHERE, SECRET)
        inquiry = self.inquiry(node, *asked)
        while not self.statuses:
            inquiry.shown(node.frames(), len(node.asked), "a:1", NOW)
        return list(map(json.loads, self.out.getvalue().splitlines()))

    def test_an_id(self) -> None:
        """All that have it are told; each names its database."""
        rows = self.told("48197")
        self.assertEqual(
            [
                ("48197", "session", "ctl1", BUSY["pool_name"], 48197),
                ("48197", "session", "ctl2", ELSEWHERE["pool_name"], 48197),
            ],
            [
                tuple(
                    row[name]
                    for name in (
                        "asked",
                        "by",
                        "hostname",
                        "pool_name",
                        "server_session",
                    )
                )
                for row in rows
            ],
        )
        names = [each.name for each in VIEWS[CONNECTIONS].fields]
        self.assertEqual(["time", "asked", "by", *names], list(rows[0]))
        self.assertEqual(([0], ""), (self.statuses, self.err.getvalue()))

    def test_addresses_and_ports(self) -> None:
        """They find no other that only begins so; of a name it is said."""
        for asked, by, said in (
            ("10.0.0.5:5321", "address", ""),
            (":5321", "port", ""),
            (
                "app1:5321",
                "port",
                (
                    "connmon who: app1:5321: a name is not looked up, the port is the "
                    "same\n"
                ),
            ),
        ):
            self.setUp()
            (row,) = self.told(asked)
            self.assertEqual(
                (asked, by, 48198),
                tuple(row[name] for name in ("asked", "by", "server_session")),
            )
            self.assertEqual(([0], said), (self.statuses, self.err.getvalue()))

    def test_what_is_not_known(self) -> None:
        """One line for each, with how many are; what is known is told, too."""
        rows = self.told("1", "48198", "[::1]:5", ":7", "app1:7")
        self.assertEqual(["48198"], [row["asked"] for row in rows])
        self.assertEqual([1], self.statuses)
        known = "2 of 4 open ones tell their address, others use UNIX sockets, or "
        known += "their drivers do not"
        name = "connmon who"
        self.assertEqual(
            [
                (
                    f"{name}: 1: no connection has that id; 3 of 4 open ones tell "
                    "theirs, the drivers of the others do not"
                ),
                f"{name}: [::1]:5: no connection comes from there; {known}",
                f"{name}: :7: no connection has that port; {known}",
                f"{name}: app1:7: no connection has that port; {known}",
            ],
            self.err.getvalue().splitlines(),
        )

    def test_all_are_known(self) -> None:
        """Then there are no others."""
        node = Node(BUSY)
        inquiry = self.inquiry(node, "1", ":7")
        for number in (1, 2):
            inquiry.shown(node.frames(), number, "a:1", NOW)
        self.assertEqual(
            "connmon who: 1: no connection has that id; 1 of 1 open ones tell theirs\n"
            "connmon who: :7: no connection has that port; 1 of 1 open ones tell their "
            "address\n",
            self.err.getvalue(),
        )

    def test_a_few_at_once(self) -> None:
        """A node is left time for others; how many are known is asked only then."""
        node = Node(BUSY)
        inquiry = self.inquiry(node, *map(str, range(48190, 48210)))
        for count, expected in ((1, 8), (2, 8), (3, 4), (4, 2)):
            self.assertEqual((count, expected), (len(node.asked), len(node.asked[-1])))
            frames = node.frames()
            inquiry.shown(frames, count - 1, "a:1", NOW)  # late, and of no use
            inquiry.shown(frames, count, "a:1", NOW)
        self.assertEqual([0, 0], [each.limit for each in node.asked[-1]])
        self.assertEqual([1], self.statuses)
        inquiry.shown(frames, 4, "a:1", NOW)
        self.assertEqual(1, self.out.getvalue().count("\n"))
        self.assertEqual(19, self.err.getvalue().count("\n"))

    def test_no_more_than_needed(self) -> None:
        """What is found at once is one question."""
        node = Node(BUSY)
        inquiry = self.inquiry(node, "48197")
        inquiry.shown(node.frames(), 1, "a:1", NOW)
        self.assertEqual((1, [0]), (len(node.asked), self.statuses))

    def test_a_node_that_does_not_understand(self) -> None:
        """Its words, and status 1."""
        inquiry = self.inquiry(Node(BUSY), "48197")
        inquiry.refused("no field 'server_session'", 1)
        self.assertEqual(
            ([1], "connmon who: no field 'server_session'\n", ""),
            (self.statuses, self.err.getvalue(), self.out.getvalue()),
        )

    def test_more_than_a_node_sends(self) -> None:
        """That it may not be all is said."""
        node = Node(BUSY, ELSEWHERE)
        inquiry = self.inquiry(node, "48197")
        (frame,) = node.frames()
        inquiry.shown((replace(frame, rows=frame.rows[:1]),), 1, "a:1", NOW)
        self.assertEqual(
            "connmon who: 48197: only 1 of 2 connections were looked at, a node sends "
            "no more\n",
            self.err.getvalue(),
        )

    def test_nobody_reads_it(self) -> None:
        """A pipe that was closed is no error, as everywhere."""
        node = Node(BUSY)
        reader, writer = os.pipe()
        os.close(reader)
        with open(writer, "w", encoding="utf-8") as out:
            wanted = [sought.parse("48197")]
            inquiry = Inquiry(out, self.err, wanted, as_json, self.statuses.append)
            inquiry.begin(node)
            inquiry.shown(node.frames(), 1, "a:1", NOW)
        self.assertEqual(([0], ""), (self.statuses, self.err.getvalue()))


class OptionTests(SynchronousTestCase):
    """The command line, and standard input."""

    def parsed(self, *argv: str, given: bytes = b"") -> tuple[list[str], str]:
        """What is asked for, and the form."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        os.write(writer, given)
        os.close(writer)
        nodes, wanted, form = parse(["-H", "10.0.0.1", *argv], "connmon who", reader)
        self.assertEqual((Address("10.0.0.1", 5800),), nodes.addresses)
        return [each.text for each in wanted], form

    def test_what_is_asked_for(self) -> None:
        """Each once, in that order; those of standard input in its place."""
        for argv, given_, expected in (
            (["48197"], b"", ["48197"]),
            (["2", "1", "2"], b"", ["2", "1"]),
            (["1", "-", "2"], b"3\n\n  :5 \r\n", ["1", "3", ":5", "2"]),
            (["-"], b"3", ["3"]),
        ):
            self.assertEqual((expected, "text"), self.parsed(*argv, given=given_))
        self.assertEqual((["1"], "json"), self.parsed("--json", "1"))
        many = "\n".join(map(str, range(1, MOST + 1))).encode()
        self.assertEqual(MOST, len(self.parsed("-", given=many)[0]))

    def test_mistakes(self) -> None:
        """They end it with status 2, and are named."""
        many = "\n".join(map(str, range(1, MOST + 2))).encode()
        for argv, given_, said in (
            ([], b"", "the following arguments are required: SESSION"),
            (["x"], b"", "argument SESSION: 'x' is neither id nor address"),
            (["1", ""], b"", "argument SESSION: '' is neither id nor address"),
            (["-"], b"", "standard input: no session, expected one on each line"),
            (["-"], b"1\n\nx\n", "standard input, line 3: 'x' is neither"),
            (["-"], b"\xff", "standard input, line 1: "),
            (["-"], many, f"{MOST + 1} sessions, expected at most {MOST}"),
            (["--last", "1"], b"", "unrecognized arguments"),
        ):
            with (
                redirect_stderr(io.StringIO()) as err,
                self.assertRaises(SystemExit) as caught,
            ):
                self.parsed(*argv, given=given_)
            self.assertEqual(2, caught.exception.code)
            self.assertIn(said, err.getvalue())

    def test_an_input_that_cannot_be_read(self) -> None:
        """That is a failure, as is one without an end."""
        write_only = os.open(os.devnull, os.O_WRONLY)
        self.addCleanup(os.close, write_only)
        zeros = os.open("/dev/zero", os.O_RDONLY)
        self.addCleanup(os.close, zeros)
        for fd, said in (
            (write_only, "cannot read standard input: Bad file descriptor"),
            (zeros, "standard input is too long, expected at most 262144 bytes"),
        ):
            with self.assertRaises(ConnmonError) as caught:
                parse(["-H", "10.0.0.1", "-"], "connmon who", fd)
            self.assertEqual(said, str(caught.exception))


class TextTests(SynchronousTestCase):
    """``as_text``."""

    def test_a_table(self) -> None:
        """Each on a line, below the names of its columns."""
        asked = sought.parse("48197")
        found = [Found(asked, each, NOW) for each in (BUSY, IDLE, ELSEWHERE)]
        found.append(Found(sought.parse("app1:5"), {"state": "detached"}, NOW))
        heading, *lines = as_text(found).splitlines()
        names = ["ASKED", "HOST", "PROGRAM", "PID", "DATABASE", "SESSION", "ADDRESS"]
        names += ["AGE", "STATE", "THREAD", "TAG", "CHECKED OUT AT"]
        self.assertEqual(names, re.split("  +", heading))
        of, site = ["48197", "ctl1", "nova-api", "11200"], BUSY["site"]
        idle = "nowhere: it is in its pool, taken 55088 times"
        postgresql, mysql = BUSY["pool_name"], ELSEWHERE["pool_name"]
        taken = ["worker-3", "import-job"]
        expected = [
            [*of, postgresql, "48197", "10.0.0.5:53211", "2h30m", "out 38.2s", *taken],
            [*of, postgresql, "48198", "10.0.0.5:5321", "2h30m", "idle 2.5s", "-", "-"],
            [*of, mysql, "48197", "-", "2h30m", "out 38.2s", *taken],
            ["app1:5", *["-"] * 7, "detached", "-", "-"],
        ]
        expected[2][1] = "ctl2"
        lasts = [site, idle, f"{site} (not heard for 11.0s)", "-"]
        for line, cells, last in zip(lines, expected, lasts, strict=True):
            self.assertEqual([*cells, last], re.split("  +", line))
            for name, cell in zip(names, [*cells, last], strict=True):
                self.assertTrue(line[heading.index(name) :].startswith(cell), line)
        self.assertEqual("", as_text([]))

    def test_how_often_it_was_taken(self) -> None:
        """In words."""
        for uses, said in (
            (0, ", never taken"),
            (1, ", taken once"),
            (2, ", taken 2 times"),
            (None, ""),
        ):
            found = Found(sought.parse("1"), {**IDLE, "uses": uses}, NOW)
            self.assertTrue(
                as_text([found]).endswith(f"nowhere: it is in its pool{said}\n")
            )

    @settings(deadline=None, max_examples=60, database=None)
    @given(told_frames(CONNECTIONS))
    def test_it_is_harmless(self, frame: Frame) -> None:
        """Whatever names a node tells."""
        found = [
            Found(
                sought.parse("1"),
                dict(zip(frame.fields, row, strict=True)),
                NOW,
            )
            for row in frame.rows
        ]
        self.assertTrue(as_text(found).replace("\n", "").isprintable())
        self.assertTrue(as_text(found, ASCII).isascii())
        self.assertEqual(len(found) + bool(found), as_text(found).count("\n"))
        for line in as_json(found).splitlines():
            json.loads(line)
