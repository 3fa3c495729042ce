"""Tests of ``connmon advice``: what is asked for, and how it is written."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.config import Address
from connmon.console.advice import Advice
from connmon.console.line import folded
from connmon.console.text import ASCII
from connmon.console.text import width as cells_of
from connmon.views.frame import Frame
from connmon.views.query import Query
from connmon.views.schema import ADVICE, VIEWS
from tests.console.frames import FRAMES, a_frame
from tests.console.sources import told_frames

LISTING = Advice()

NOW = 1000000.0

FRAME = FRAMES[ADVICE]


class OptionTests(SynchronousTestCase):
    """The command line."""

    def test_what_is_asked_for(self) -> None:
        """All findings, those about one program, or those that a filter matches."""
        for argv, query, form in (
            ([], Query(ADVICE), "text"),
            (["api", "--json"], Query(ADVICE, scope=(("progname", "api"),)), "json"),
            (["--filter", "-sev:info"], Query(ADVICE, where=("-sev:info",)), "text"),
        ):
            nodes, *rest = LISTING.parse(["-H", "10.0.0.1", *argv], "connmon advice")
            self.assertEqual([query, form], rest)
            self.assertEqual((Address("10.0.0.1", 5800),), nodes.addresses)

    def test_mistakes(self) -> None:
        """They end it with status 2, and are named."""
        for argv, said in (
            (["a", "b"], "unrecognized arguments: b"),
            (["--filter", "colour:red"], "argument --filter: "),
            (["--last"], "unrecognized arguments"),
        ):
            with (
                redirect_stderr(io.StringIO()) as err,
                self.assertRaises(SystemExit) as caught,
            ):
                LISTING.parse(["-H", "10.0.0.1", *argv], "connmon advice")
            self.assertEqual(2, caught.exception.code)
            self.assertIn(said, err.getvalue())


class FormTests(SynchronousTestCase):
    """As JSON, and to be read."""

    def test_json(self) -> None:
        """An object for each finding, on a line, with the fields of the view."""
        first, second = map(json.loads, LISTING.as_json(FRAME, NOW).splitlines())
        self.assertEqual([each.name for each in VIEWS[ADVICE].fields], list(first))
        self.assertEqual(["ctl1", "ctl2"], first["hostnames"])
        self.assertEqual("engine-per-request", second["rule"])
        self.assertEqual("", LISTING.as_json(a_frame(ADVICE), NOW))

    def test_text(self) -> None:
        """What it is about, what is wrong, the evidence, and what to do."""
        first, second = LISTING.as_text(FRAME, NOW).split("\n\n")
        name = "mysql+pymysql://db1.prod:3306/nova"
        about = f"warn  pool-too-small  nova-api  on ctl1, ctl2  {name}"
        evidence = FRAME.rows[0][FRAME.fields.index("evidence")]
        self.assertEqual(
            [
                about,
                "  the pool is too small: 15 places, and 18 were wanted at once",
                f"  evidence: {evidence}",
                "  to do: set pool_size=13 (it is 5; max_overflow=10)",
            ],
            first.splitlines(),
        )
        self.assertTrue(second.startswith("info  engine-per-request  frontend/uwsgi  "))
        self.assertEqual(f"{LISTING.nothing}\n", LISTING.as_text(a_frame(ADVICE), NOW))

    @settings(deadline=None, max_examples=60, database=None)
    @given(told_frames(ADVICE))
    def test_it_is_harmless(self, frame: Frame) -> None:
        """Whatever names a node tells."""
        self.assertTrue(LISTING.as_text(frame, NOW).replace("\n", "").isprintable())
        self.assertTrue(LISTING.as_text(frame, NOW, ASCII).isascii())
        for line in LISTING.as_json(frame, NOW).splitlines():
            json.loads(line)


class FoldingTests(SynchronousTestCase):
    """``folded``."""

    def test_lines(self) -> None:
        """As many words on each as there is room for; what is longer is broken."""
        for text, room, lines in (
            ("", 10, []),
            ("one two three", 20, ["one two three"]),
            ("one two three", 7, ["one two", "three"]),
            ("abcdefgh ij", 4, ["abcd", "efgh", "ij"]),
            ("日本語", 4, ["日本", "語"]),
            ("a", -3, ["a"]),
        ):
            self.assertEqual(lines, folded(text, room), text)

    @given(
        st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
        st.integers(2, 40),
    )
    def test_nothing_is_lost(self, text: str, room: int) -> None:
        """No line is too long, and all that is not blank is there."""
        lines = folded(text, room)
        self.assertEqual(text.replace(" ", ""), "".join(lines).replace(" ", ""))
        self.assertTrue(all(cells_of(each) <= room for each in lines))
