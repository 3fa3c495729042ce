"""Tests of ``connmon timeouts``: what is asked for, and how it is written."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr

from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

from connmon.config import Address
from connmon.console import clock
from connmon.console.incidents import Timeouts
from connmon.console.text import ASCII
from connmon.views.frame import Frame
from connmon.views.query import WHOLE, Query
from connmon.views.schema import TIMEOUTS, VIEWS
from tests.console.frames import FRAMES, a_frame
from tests.console.sources import told_frames

LISTING = Timeouts()
NOW = 1_700_000_000.0
FRAME = FRAMES[TIMEOUTS]
SITE = "nova/api/orders.py:88 create"
KNOWN = "session 40211  from 10.0.0.5:53211  tag import-job"


class OptionTests(SynchronousTestCase):
    """The command line."""

    def test_what_is_asked_for(self) -> None:
        """All of them, the newest, so many, or those that a filter matches."""
        for argv, query, form in (
            ([], Query(TIMEOUTS, limit=WHOLE), "text"),
            (["--last"], Query(TIMEOUTS, limit=1), "text"),
            (["-N", "7", "--json"], Query(TIMEOUTS, limit=7), "json"),
            (
                ["--filter", "prog:pay"],
                Query(TIMEOUTS, where=("prog:pay",), limit=WHOLE),
                "text",
            ),
            (
                ["--filter", "-prog:pay", "--last"],
                Query(TIMEOUTS, where=("-prog:pay",), limit=1),
                "text",
            ),
        ):
            nodes, *rest = LISTING.parse(["-H", "10.0.0.1", *argv], "connmon timeouts")
            self.assertEqual([query, form], rest)
            self.assertEqual((Address("10.0.0.1", 5800),), nodes.addresses)

    def test_mistakes(self) -> None:
        """They end it with status 2, and are named."""
        for argv, said in (
            (["--last", "-N", "3"], "not allowed with"),
            (["-N", "0"], "expected a whole number from 1"),
            (["--filter", "colour:red"], "argument --filter: "),
            (["--view", "hosts"], "unrecognized arguments"),
        ):
            with (
                redirect_stderr(io.StringIO()) as err,
                self.assertRaises(SystemExit) as caught,
            ):
                LISTING.parse(["-H", "10.0.0.1", *argv], "connmon timeouts")
            self.assertEqual(2, caught.exception.code)
            self.assertIn(said, err.getvalue())


class JsonTests(SynchronousTestCase):
    """As JSON."""

    def test_one_object_for_each(self) -> None:
        """With the time it was, the fields of the view, and objects within."""
        first, second = map(json.loads, LISTING.as_json(FRAME, NOW).splitlines())
        names = [each.name for each in VIEWS[TIMEOUTS].fields]
        self.assertEqual(["time", *names], list(first))
        self.assertEqual(NOW - 3.0, first["time"])
        self.assertEqual(
            {
                "site": "nova/api/orders.py:88",
                "function": "create",
                "thread": "worker-7",
                "seconds": 12.5,
                "session": None,
                "address": None,
                "tag": None,
            },
            first["waiters"][0],
        )
        self.assertEqual(
            (40211, "10.0.0.5:53211", "import-job"),
            tuple(first["holders"][0][name] for name in ("session", "address", "tag")),
        )
        self.assertEqual(([], None), (second["holders"], second["waiters"]))

    def test_none(self) -> None:
        """Then there is no line."""
        self.assertEqual("", LISTING.as_json(a_frame(TIMEOUTS), NOW))


class TextTests(SynchronousTestCase):
    """To be read."""

    def test_what_is_said(self) -> None:
        """A line for each who held or waited, below what happened when to whom."""
        first, second = LISTING.as_text(FRAME, NOW).split("\n\n")
        first_line = (
            f"{clock.told(NOW - 3.0, clock.DATE_AND_TIME)}  ctl1  nova-api[11200]  "
            "postgresql+psycopg2 db1.prod/nova"
        )
        self.assertEqual(
            [
                first_line,
                "  15 of 15 out, 2 more waiting, 12 timed out so far",
                f"  MainThread gave up after 30.0s at {SITE}  tag import-job",
                "  held by:",
                f"     38.2s  {SITE}  worker-3  {KNOWN}",
                "      9.0s  nova/report.py:7 <lambda>  worker-1",
                "      0.4s  -  worker-2",
                "  waiting:",
                "     12.5s  nova/api/orders.py:88 create  worker-7",
            ],
            first.splitlines(),
        )
        self.assertEqual(
            [
                f"{clock.told(NOW - 90000.0, clock.DATE_AND_TIME)}  ctl2  x",
                "  - out, - more waiting, - timed out so far",
                "  somebody gave up after -",
            ],
            second.splitlines(),
        )

    def test_none(self) -> None:
        """That is said."""
        self.assertEqual(
            f"{LISTING.nothing}\n", LISTING.as_text(a_frame(TIMEOUTS), NOW)
        )

    @settings(deadline=None, max_examples=60, database=None)
    @given(told_frames(TIMEOUTS))
    def test_it_is_harmless(self, frame: Frame) -> None:
        """Whatever names a node tells."""
        self.assertTrue(LISTING.as_text(frame, NOW).replace("\n", "").isprintable())
        self.assertTrue(LISTING.as_text(frame, NOW, ASCII).isascii())
        for line in LISTING.as_json(frame, NOW).splitlines():
            json.loads(line)
