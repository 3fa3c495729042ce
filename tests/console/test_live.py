"""Tests of the screen's viewer on a clock: what is asked, when, and what is drawn."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connmon.config import Address
from connmon.console import clock, live, snapshot
from connmon.console.asking import PAUSED_ROWS
from connmon.console.choices import Choices
from connmon.console.holders import NoStacks, Whose
from connmon.console.interest import SETTLE_SECONDS
from connmon.console.keys import SECTIONS, Action
from connmon.console.link import Failed
from connmon.console.live import Live
from connmon.console.logbook import Logbook
from connmon.console.picture import as_line
from connmon.console.place import Screen
from connmon.console.player import Player
from connmon.console.source import Replayed
from connmon.console.tape import Recorder, Recording
from connmon.console.text import UNICODE
from connmon.model.records import Identity
from connmon.model.stacks import Found, Stack, Told
from connmon.views.frame import Frame
from connmon.views.query import Query
from connmon.views.recorded import WHOLE
from connmon.views.schema import (
    CONNECTIONS,
    EVENTS,
    HOSTS,
    NODES,
    POOLS,
    PROCESSES,
    PROGRAMS,
    TIMEOUTS,
    VIEWS,
)
from tests.console.frames import FRAMES, HEAD, a_program, a_row, any_frames, timeouts
from tests.console.sources import NODE1, NODE2, FakeSource, FakeTerminal, many

HERE, THERE = Address("10.0.0.1", 5800), Address("10.0.0.2", 5800)
LOST = Failed(HERE, "it closed the link")
REFUSED = Failed(THERE, "connection refused")
XTERM = {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
NOW = 1_700_000_000.0


class LiveTestCase(SynchronousTestCase):
    """One viewer, its terminal and its source, all driven by hand."""

    environ: Mapping[str, str] = XTERM

    def setUp(self) -> None:
        """A viewer that has asked for its first frame."""
        self.clock = Clock()
        self.terminal = FakeTerminal()
        self.source = FakeSource()
        self.logbook = Logbook()
        self.live = self.viewer(Screen(choices=Choices(delay=1.0)))

    def viewer(self, screen: Screen) -> Live:
        """A viewer that begins with this screen."""
        live = Live(
            self.clock,
            screen,
            UNICODE,
            self.logbook,
            self.environ,
            now=lambda: NOW + self.clock.seconds(),
        )
        terminal: Any = self.terminal
        live.join(terminal, self.source)
        live.resized(*self.terminal.size)
        return live

    def feed(self, number: int | None = None, **how: Any) -> None:
        """The source answers, for what was asked last unless a number is given."""
        self.source.feed(self.live, number, **how)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.live.pressed(key)

    def type(self, text: str) -> None:
        """Type a text, and Enter."""
        self.press(*text, "Enter")

    def rest(self) -> None:
        """Press nothing for a while."""
        self.clock.advance(SETTLE_SECONDS)

    @property
    def questions(self) -> int:
        """How often something was asked."""
        return len(self.source.asked)

    @property
    def selected(self) -> str:
        """The line that the cursor is on."""
        (found,) = [line for line in self.terminal.drawn[4:] if line[1:2] == ">"]
        return found

    def notice(self) -> str:
        """The line of news."""
        return self.terminal.drawn[3].strip()


class AskingTests(LiveTestCase):
    """What is asked of the node, and when."""

    def test_at_first(self) -> None:
        """A window of the view to begin with is asked for, once."""
        self.assertEqual(1, self.questions)
        query, interval = self.source.asked[0]
        self.assertEqual((PROGRAMS, 1.0), (query.view, interval))
        self.assertTrue(0 < query.limit < 100, query)
        self.feed()
        self.feed()
        self.live.draw()
        self.assertEqual(1, self.questions)

    def test_what_changes_the_rows_is_asked_at_once(self) -> None:
        """Another view, order, filter, set of columns, a tree; and another pace."""
        self.feed()
        changes: tuple[tuple[list[str], str, object], ...] = (
            (["2"], "view", HOSTS),
            (["1"], "view", PROGRAMS),
            (["c"], "sort", "-conn"),
            (["R"], "sort", "conn"),
            (["A"], "alerts_first", False),
            (["i"], "busy", True),
            (["t"], "tree", True),
            (["\\", *"nova", "Enter"], "where", ("nova",)),
            (["Esc"], "where", ()),
        )
        for keys, name, value in changes:
            before = self.questions
            self.press(*keys)
            self.assertEqual(before + 1, self.questions, keys)
            self.assertEqual(value, getattr(self.source.query, name), keys)
            self.feed()
        fields = self.source.query.fields
        self.press("m")
        self.assertNotEqual(fields, self.source.query.fields)

    def test_another_pace(self) -> None:
        """It is asked for at once, and changes nothing else."""
        self.feed()
        before = self.source.query
        self.press("d", "Backspace")
        self.type("0.5")
        self.assertEqual(2, self.questions)
        self.assertEqual((before, 0.5), self.source.asked[-1])

    def test_what_changes_only_looks_is_not_asked(self) -> None:
        """Units, names, themes, help, log and notices are the console's own affair."""
        self.feed()
        self.press("u", "H", "T", "?", "x", "L", "x", "F6", "Esc", "/", "Esc", "^L")
        self.rest()
        self.assertEqual(1, self.questions)

    def test_the_cursor_is_told_of_once_it_rests(self) -> None:
        """The node then keeps its row in the window; not before, lest it be flooded."""
        self.feed()
        for _ in range(3):
            self.press("Down")
            self.clock.advance(SETTLE_SECONDS - 0.01)
            self.assertEqual(1, self.questions)
        self.clock.advance(0.01)
        self.assertEqual(2, self.questions)
        self.assertIn("web2", self.selected)
        self.assertEqual(("web2", "frontend/uwsgi"), self.source.query.anchor)
        self.rest()
        self.assertEqual(2, self.questions)

    def test_a_cursor_that_is_back_need_not_be_told_of(self) -> None:
        """The node knows it there."""
        self.press("Down")
        self.feed()
        self.press("Down")
        self.rest()
        before = self.questions
        self.press("Down", "Up")
        self.rest()
        self.assertEqual(before, self.questions)

    def test_a_row_that_moves_need_not_be_told_of(self) -> None:
        """The node has the cursor's row in the window, wherever that is by now."""
        self.source.have(many(100))
        self.feed()
        self.press("Down", "Down")
        self.rest()
        self.feed()
        before = self.questions
        above = [a_program("ctl1", f"a{number:02}") for number in range(40)]
        self.source.have(above + many(100))
        self.feed()
        self.rest()
        self.assertIn("p0002", self.selected)
        self.assertEqual(before, self.questions)

    def test_rows_that_are_not_here_are_asked_for_at_once(self) -> None:
        """As soon as the window leaves those that are."""
        self.source.have(many(500))
        self.feed()
        held = self.source.query.limit
        pages = 0
        while self.questions == 1:
            self.assertLess((pages + 1) * 17, held)
            self.press("PgDn")
            pages += 1
        self.assertGreater(pages * 17 + 18, held)
        self.feed()
        self.assertIn(f"p{pages * 17 + 17:04}", self.terminal.text)
        self.press("End")
        self.assertEqual(3, self.questions)
        self.feed()
        self.assertIn("p0499", self.selected)
        self.press("Home")
        self.assertEqual(4, self.questions)

    def test_a_larger_window_asks_for_what_it_lacks(self) -> None:
        """And a smaller one for nothing."""
        self.source.have(many(500))
        self.feed()
        self.terminal.size = (100, 12)
        self.live.resized(100, 12)
        self.rest()
        self.terminal.size = (100, 24)
        self.live.resized(100, 24)
        before = self.questions
        self.terminal.size = (100, 200)
        self.live.resized(100, 200)
        self.assertEqual(before + 1, self.questions)
        self.feed()
        self.assertIn("p0190", self.terminal.text)

    def test_drilling_down_and_back(self) -> None:
        """Each level is asked for with its scope, and then shown."""
        self.feed()
        for view, scope in (
            (PROCESSES, (("hostname", "ctl1"), ("progname", "nova-api"))),
            (POOLS, (("process", "token0"),)),
            (CONNECTIONS, (("process", "token0"), ("pool_id", 1))),
        ):
            self.press("Enter")
            query = self.source.query
            self.assertEqual((view, scope), (query.view, query.scope))
            self.assertNotIn("CONNECTING", self.terminal.text)
            self.feed()
        self.assertIn("nova/db/sqlalchemy/api.py:412", self.terminal.text)
        self.press("Esc", "Esc", "Esc")
        query = self.source.query
        self.assertEqual((PROGRAMS, ()), (query.view, query.scope))
        self.feed()
        self.assertIn("nova-api", self.selected)

    def test_stop(self) -> None:
        """Nothing is asked any more."""
        self.feed()
        self.press("Down")
        self.live.stop()
        self.live.stop()
        self.assertEqual([], self.clock.getDelayedCalls())


class TakingTests(LiveTestCase):
    """Which frames are shown."""

    def test_a_frame(self) -> None:
        """With its node's address and its rows."""
        self.assertIn("CONNECTING", self.terminal.text)
        self.feed()
        self.assertIn("nova-api", self.terminal.text)
        self.assertIn(f"default@node1 {NODE1}", self.terminal.drawn[0])
        self.assertTrue(self.terminal.drawn[0].endswith("LIVE"))

    def test_answers_to_an_older_question(self) -> None:
        """They are dropped, once something else is shown."""
        self.feed()
        self.press("\\")
        self.type("nova")
        self.source.have([a_program(program="another")])
        self.feed(1)
        self.assertNotIn("another", self.terminal.text)
        self.source.have([a_program(program="nova-new")])
        self.feed(2)
        self.assertIn("nova-new", self.terminal.text)

    def test_answers_for_an_older_window(self) -> None:
        """They are as good as any: the same rows, newer than those that are seen."""
        self.feed()
        self.press("Down")
        self.rest()
        self.assertEqual(2, self.questions)
        self.source.have([a_program(program="another")])
        self.feed(1)
        self.assertIn("another", self.terminal.text)

    def test_another_view(self) -> None:
        """Until it comes there are no rows; what was there is not taken for it."""
        self.feed()
        self.assertIn("cinder-api", self.terminal.text)
        self.press("4")
        self.assertNotIn("cinder-api", self.terminal.text)
        self.assertIn("Hosts 5", self.terminal.text)
        self.feed(1)
        self.assertNotIn("cinder-api", self.terminal.text)
        self.feed()
        self.assertIn("unreachable", self.terminal.text)

    def test_a_frame_of_a_view_that_was_not_asked_for(self) -> None:
        """It is dropped, whatever number it bears."""
        self.feed()
        self.live.shown((FRAMES[HOSTS],), 1, NODE1, 1e9)
        self.assertIn("cinder-api", self.terminal.text)

    def test_keys_until_another_view_comes(self) -> None:
        """They do not act on the rows of the one before."""
        self.feed()
        news = self.notice()
        self.press("4", "Enter", "Down", "Enter")
        self.assertEqual(news, self.notice())
        self.assertEqual((2, NODES), (self.questions, self.source.query.view))

    def test_a_row_that_is_gone(self) -> None:
        """The cursor stays where it was, also when that row is back."""
        self.source.have(many(500))
        self.feed()
        self.press("/")
        self.type("p0200")
        self.feed()
        self.rest()
        self.feed()
        rows = many(500)
        self.source.have(rows[:200] + rows[201:])
        self.feed()
        self.assertIn("p0201", self.selected)
        self.source.have(rows)
        self.feed()
        self.assertIn("p0201", self.selected)

    def test_a_row_that_is_shown_whole(self) -> None:
        """It stays, whatever comes above it; once it is gone, that is said."""
        self.press("9")
        self.source.have(timeouts(), TIMEOUTS)
        self.feed()
        self.press("Enter")
        self.assertIn("MainThread gave up after 30.0s", self.terminal.text)
        newer = a_row(TIMEOUTS, process="token0", number=3, progname="another")
        self.source.have([newer, *timeouts()], TIMEOUTS)
        self.feed()
        self.assertIn("MainThread gave up after 30.0s", self.terminal.text)
        self.source.have([newer], TIMEOUTS)
        self.feed()
        self.rest()
        self.feed()
        self.assertIn("it is not there any more", self.terminal.text)
        self.assertNotIn("another", self.terminal.text)
        self.press("Esc")
        self.feed()
        self.assertIn("another", self.terminal.text)

    def test_the_same_view_of_something_else(self) -> None:
        """The rows of one host are not shown as those of another."""
        self.press("2")
        self.feed()
        self.press("Enter")
        self.feed()
        self.assertIn("cinder-api", self.terminal.text)
        self.press("Esc")
        self.feed()
        self.press("Down", "Enter")
        self.assertEqual((("hostname", "web2"),), self.source.query.scope)
        self.assertNotIn("cinder-api", self.terminal.text)

    def test_the_clock(self) -> None:
        """It goes on by itself, with no frame to drive it."""
        self.feed()
        for seconds in (0, 1, 59):
            self.clock.advance(seconds)
            self.live.draw()
            now = NOW + self.clock.seconds()
            self.assertIn(clock.told(now), self.terminal.drawn[0])

    def test_columns_do_not_get_narrower(self) -> None:
        """Not until the view is opened anew."""
        self.source.have([a_program("h" * 20), a_program("ctl1")])
        self.feed()
        wide = self.terminal.drawn[4].index("PROGRAM")
        self.source.have([a_program("ctl1")])
        self.feed()
        self.assertEqual(wide, self.terminal.drawn[4].index("PROGRAM"))
        self.press("2", "1")
        self.feed()
        self.assertLess(self.terminal.drawn[4].index("PROGRAM"), wide)


class PauseTests(LiveTestCase):
    """A picture that stands still, and can be looked at."""

    def setUp(self) -> None:
        """Five hundred programs, paused."""
        super().setUp()
        self.source.have(many(3000))
        self.feed()
        self.press(" ")
        self.feed()

    def test_enough_rows_to_scroll(self) -> None:
        """They are asked for once; then only whether somebody is there."""
        first, many_rows, pulse = (each.query for each in self.source.asked)
        self.assertEqual(PAUSED_ROWS, many_rows.limit)
        self.assertEqual(Query(PROGRAMS, limit=0), pulse)
        self.assertLess(first.limit, 100)
        for _ in range(50):
            self.press("PgDn")
        self.rest()
        self.assertEqual(3, self.questions)
        self.assertIn("p0850", self.selected)

    def test_nothing_changes(self) -> None:
        """Whatever comes, but for the clock and how old the figures are."""
        seen = self.terminal.drawn[1:]
        self.source.have([a_program(program="another")])
        for seconds in (1, 1, 10):
            self.clock.advance(seconds)
            self.feed()
            self.assertEqual(seen, self.terminal.drawn[1:])
        self.assertTrue(
            self.terminal.drawn[0].endswith("PAUSED 12.0s"), self.terminal.drawn[0]
        )

    def test_on(self) -> None:
        """The newest figures are asked for at once."""
        self.press(" ")
        self.assertEqual(4, self.questions)
        self.source.have([a_program(program="another")])
        self.feed()
        self.assertIn("another", self.terminal.text)
        self.assertTrue(self.terminal.drawn[0].endswith("LIVE"))

    def test_another_order(self) -> None:
        """It has to be asked for, and then stands still as well."""
        self.press("c")
        self.feed()
        self.assertEqual(5, self.questions)
        seen = self.terminal.drawn[1:]
        self.source.have([a_program(program="another")])
        self.feed()
        self.assertEqual(seen, self.terminal.drawn[1:])
        self.assertIn("PAUSED", self.terminal.drawn[0])

    def test_another_pace(self) -> None:
        """It matters only once it goes on."""
        self.press("+")
        self.assertEqual(3, self.questions)
        self.press(" ")
        self.assertEqual(2.0, self.source.asked[-1].interval)

    def test_rows_beyond(self) -> None:
        """Who wants to see them gets them, as they are then."""
        self.press("End")
        self.assertEqual(PAUSED_ROWS, self.source.query.limit)
        self.feed()
        self.assertIn("p2999", self.selected)
        self.assertEqual((5, 0), (self.questions, self.source.query.limit))

    def test_search(self) -> None:
        """It looks through what is here, and asks nobody."""
        self.press("/")
        self.type("p1234")
        self.assertIn("p1234", self.selected)
        self.press("/")
        self.type("p2999")
        self.assertEqual("not found", self.notice())
        self.assertEqual(3, self.questions)

    def test_search_in_what_is_shown(self) -> None:
        """Nobody can be asked for columns that are not here."""
        self.press(" ", "6")
        self.feed()
        self.press(" ")
        self.feed()
        self.press("/")
        self.type("nova-api")
        self.assertIn("11201", self.selected)

    def test_the_node_is_lost_meanwhile(self) -> None:
        """That is said, and so is its end; the picture stays."""
        seen = self.terminal.drawn[5:]
        self.live.lost(LOST)
        self.assertIn("STALE", self.terminal.drawn[0])
        self.assertIn("DISCONNECTED", self.terminal.text)
        self.feed(origin=NODE2)
        self.assertIn("PAUSED", self.terminal.drawn[0])
        self.assertNotIn("DISCONNECTED", self.terminal.text)
        self.assertEqual(seen, self.terminal.drawn[5:])


class FindTests(LiveTestCase):
    """Going to a row that matches."""

    def setUp(self) -> None:
        """Five hundred programs."""
        super().setUp()
        self.source.have(many(500))
        self.feed()

    def search(self, text: str) -> None:
        """Ask for a text."""
        self.press("/")
        self.type(text)

    def test_here(self) -> None:
        """Nobody needs to be asked."""
        self.search("p0007")
        self.assertIn("p0007", self.selected)
        self.assertEqual(1, self.questions)

    def test_elsewhere(self) -> None:
        """The node knows it: the cursor goes there, once it has answered."""
        self.search("p0400")
        self.assertEqual((2, '"p0400"'), (self.questions, self.source.query.find))
        self.feed(1)
        self.assertIn("p0000", self.selected)
        self.feed(2)
        self.assertIn("p0400", self.selected)
        self.rest()
        self.assertEqual(
            ("", ("ctl1", "p0400")),
            (
                self.source.query.find,
                self.source.query.anchor,
            ),
        )
        self.feed()
        self.assertIn("p0400", self.selected)

    def test_again(self) -> None:
        """The next one, and from the end on the first."""
        self.search("p04")
        self.feed()
        self.press("&")
        self.assertIn("p0401", self.selected)
        self.search("p0003")
        self.feed()
        self.assertIn("p0003", self.selected)

    def test_nowhere(self) -> None:
        """That is said, and the cursor stays; nor do the rows move meanwhile."""
        seen = self.terminal.drawn[4:-1]
        self.search("nosuch")
        self.feed()
        self.assertEqual("not found", self.notice())
        self.assertEqual(seen, self.terminal.drawn[4:-1])
        self.rest()
        self.assertEqual("", self.source.query.find)
        self.feed()
        self.assertIn("p0000", self.selected)

    def test_overtaken_by_another_question(self) -> None:
        """What is found then is of no use, and does not move the cursor."""
        self.search("p0400")
        self.press("c")
        self.feed(2)
        self.assertNotIn("p0400", self.terminal.text)
        self.feed(3)
        self.assertNotIn("p0400", self.terminal.text)
        self.assertNotIn("not found", self.terminal.text)
        self.press("End")
        self.assertEqual(4, self.questions)

    def test_keys_until_it_is_found(self) -> None:
        """They move the cursor, and the answer is not given up for them."""
        self.search("p0400")
        self.press(*["PgDn"] * 9)
        self.rest()
        self.assertEqual(2, self.questions)
        self.feed()
        self.assertIn("p0400", self.selected)

    def test_the_next_alert(self) -> None:
        """Wherever it is."""
        rows = many(500)
        rows[300] = a_program("ctl1", "p0300", alert="warn", reason="pool full")
        self.source.have(rows)
        self.press("A")
        self.feed()
        self.press("!")
        self.feed()
        self.assertIn("p0300", self.selected)


class LinkTests(LiveTestCase):
    """The node comes, goes, and is sought."""

    def test_before_the_first_frame(self) -> None:
        """The screen says that it connects, and where to."""
        self.live.trying(HERE, 0.0)
        self.assertIn("CONNECTING", self.terminal.drawn[0])
        self.assertIn(f"trying {NODE1}", self.terminal.text)

    def test_no_node_at_all(self) -> None:
        """At the start that is the end, with words for after the screen."""
        self.assertFalse(self.live.exhausted((LOST, REFUSED)))
        self.assertEqual([1], self.terminal.statuses)
        self.assertEqual(
            "no daemon reached, tried 10.0.0.1:5800 (it closed the link), "
            "10.0.0.2:5800 (connection refused)",
            self.live.last_words,
        )

    def test_lost(self) -> None:
        """From whom, why, what is tried next; the figures stay, marked as stale."""
        self.feed()
        self.live.lost(LOST)
        self.live.trying(THERE, 2.4)
        self.assertIn(
            f"from {NODE1} (it closed the link); trying {NODE2} in 2 s", self.notice()
        )
        self.assertIn("nova-api", self.terminal.text)
        self.assertIn("STALE", self.terminal.drawn[0])

    def test_how_old_the_figures_are(self) -> None:
        """It grows while no others come, with each tick of the clock."""
        self.feed()
        self.clock.advance(3.0)
        self.live.lost(LOST)
        for age in ("3.0s", "4.0s", "1m04s"):
            self.live.draw()
            self.assertTrue(
                self.terminal.drawn[0].endswith(f"STALE {age}"), self.terminal.drawn[0]
            )
            self.assertIn(f"DISCONNECTED {age}", self.notice())
            self.clock.advance(60.0 if age == "4.0s" else 1.0)

    def test_the_only_node(self) -> None:
        """It is tried again."""
        self.feed()
        self.live.lost(LOST)
        self.live.trying(HERE, 0.1)
        self.assertIn("; trying it again. Numbers", self.notice())
        newer = Failed(HERE, "connection refused")
        self.assertTrue(self.live.exhausted((newer,)))
        self.live.trying(HERE, 1.0)
        self.assertIn(
            f"from {NODE1} (connection refused); trying it again in 1 s", self.notice()
        )

    def test_no_node_any_more(self) -> None:
        """It goes on trying, and says so."""
        self.feed()
        self.live.lost(LOST)
        self.assertTrue(self.live.exhausted((REFUSED, LOST)))
        self.live.trying(THERE, 4.0)
        self.assertIn(
            f"from {NODE1} (it closed the link); none of 2 nodes answers; trying ",
            self.notice(),
        )
        self.assertIn("nova-api", self.terminal.text)
        self.assertEqual(([], ""), (self.terminal.statuses, self.live.last_words))

    def test_another_node(self) -> None:
        """Nothing reminds of the loss, and the view goes on where it was."""
        self.source.have(many(500))
        self.feed()
        self.press("c", "End")
        self.feed()
        before = self.selected
        self.live.lost(LOST)
        self.live.exhausted((REFUSED, LOST))
        self.live.trying(THERE, 0.0)
        self.feed(origin=NODE2)
        self.assertEqual(before, self.selected)
        for word in ("lost", "tried", "trying", "STALE", NODE1):
            self.assertNotIn(word, self.terminal.text)
        self.assertIn(NODE2, self.terminal.drawn[0])
        self.live.lost(REFUSED)
        self.assertIn(f"from {REFUSED}. Numbers", self.notice())

    def test_keys_meanwhile(self) -> None:
        """They work on what is there; another view has no rows, and says why."""
        self.feed()
        self.live.lost(LOST)
        self.press("Down")
        self.assertIn("bill7", self.selected)
        self.press("5")
        self.assertIn("STALE", self.terminal.drawn[0])
        self.assertIn("it closed the link", self.terminal.text)
        self.assertEqual(EVENTS, self.source.query.view)
        self.feed()
        self.assertIn("first one began", self.terminal.text)

    def test_the_log(self) -> None:
        """It has all that became of the link, what repeats itself but once."""
        self.feed()
        self.live.lost(LOST)
        for _ in range(3):
            self.live.exhausted((REFUSED, LOST))
        self.feed(origin=NODE2)
        self.feed(origin=NODE2)
        said = [line.split(" ", 1)[1] for line in self.logbook.lines()]
        self.assertEqual(
            [
                f"figures come from {NODE1}",
                f"lost {LOST}",
                f"no daemon reached, tried {REFUSED}, {LOST}",
                f"figures come from {NODE2}",
            ],
            said,
        )
        self.press("L")
        self.assertIn(f"lost {LOST}", self.terminal.text)

    def test_a_node_that_does_not_understand(self) -> None:
        """Its words are shown; older rows are not shown as if they were the answer."""
        self.feed()
        self.press("\\")
        self.type("ckout>3")
        self.live.refused("no field 'ckout' of programs", 2)
        self.assertEqual("no field 'ckout' of programs", self.notice())
        self.feed(1)
        self.assertNotIn("nova-api", self.terminal.text)
        self.press("Esc")
        self.feed()
        self.assertIn("nova-api", self.terminal.text)
        self.assertNotIn("no field", self.terminal.text)

    def test_refused_but_no_longer_wanted(self) -> None:
        """What is shown since then is not touched."""
        self.feed()
        self.press("\\")
        self.type("ckout>3")
        self.press("Esc")
        self.feed()
        self.live.refused("no field 'ckout' of programs", 2)
        self.assertIn("nova-api", self.terminal.text)

    def test_a_recording_that_lacks_rows(self) -> None:
        """It is said, and stands in the log."""
        self.feed()
        self.live.warned("recorded are only 2 of 7 pools")
        self.assertEqual("recorded are only 2 of 7 pools", self.notice())
        self.press("L")
        self.assertIn("recorded are only 2 of 7 pools", self.terminal.text)

    def test_a_recording_that_breaks_off(self) -> None:
        """It is said, and the screen goes on."""
        self.feed()
        self.live.noted("the recording ends: no space left")
        self.assertEqual("the recording ends: no space left", self.notice())
        self.press("x")
        self.feed()
        self.assertNotIn("recording", self.terminal.text)
        self.assertIn("nova-api", self.terminal.text)


class KeyTests(LiveTestCase):
    """What keys do besides moving about."""

    def setUp(self) -> None:
        """A window with room for the path of any file."""
        super().setUp()
        self.terminal.size = (300, 24)

    def test_quit(self) -> None:
        """It ends with 0."""
        self.press("q")
        self.assertEqual([0], self.terminal.statuses)

    def test_redraw_and_theme(self) -> None:
        """All is painted anew, in the colours that were chosen."""

        def painter(environ: object, theme: str, color: str) -> object:
            return environ, theme, color

        self.patch(live, "painter", painter)
        self.press("^L", "T", "T", "T", "T")
        self.assertEqual(
            [
                (XTERM, theme, "auto")
                for theme in ("auto", "many", "sixteen", "mono", "auto")
            ],
            self.terminal.painters,
        )

    def test_save(self) -> None:
        """The screen is in the file as it is seen, and where that is, is said."""
        self.feed()
        path = os.path.abspath(self.mktemp())
        self.press("S", "^U")
        self.type(path)
        self.assertEqual(f"saved to {path}", self.notice())
        saved = Path(path).read_text(encoding="utf-8").splitlines()
        self.assertEqual(24, len(saved))
        self.assertEqual(self.terminal.drawn[4:], saved[4:])
        self.assertNotIn("Save as", "".join(saved))

    def test_the_name_that_is_offered(self) -> None:
        """It tells when."""
        self.press("S")
        when = clock.told(NOW, "%Y%m%d-%H%M%S")
        self.assertIn(f"Save as: connmon-{when}.txt", self.terminal.text)

    def test_saving_in_vain(self) -> None:
        """A file that is there stays as it is; one that cannot be written is told."""
        self.feed()
        path = self.mktemp()
        Path(path).write_text("mine")
        for name, reason in (
            (path, "File exists"),
            ("/nonexistent/x", "No such file or directory"),
        ):
            self.press("S", "^U")
            self.type(name)
            self.assertEqual(f"cannot save to {name}: {reason}", self.notice())
        self.assertEqual("mine", Path(path).read_text())

    def test_keep(self) -> None:
        """The choices are in the file that is named."""
        home = os.path.abspath(self.mktemp())
        self.environ = {**XTERM, "XDG_CONFIG_HOME": home}
        self.live = self.viewer(Screen(choices=Choices(delay=1.0)))
        self.feed()
        self.press("c", "u", "2", "W")
        path = f"{home}/connmon/console.json"
        self.assertEqual(f"choices kept in {path}", self.notice())
        kept = json.loads(Path(path).read_text())
        self.assertEqual(
            (HOSTS, 1.0, {PROGRAMS: "+conn"}, True),
            tuple(kept[name] for name in ("view", "delay", "sorts", "exact")),
        )

    def test_keeping_in_vain(self) -> None:
        """Where nothing can be written, that is said, and nothing else happens."""
        file = os.path.abspath(self.mktemp())
        Path(file).write_text("")
        for environ, words in (
            ({**XTERM, "XDG_CONFIG_HOME": file}, f"cannot write {file}/connmon"),
            (XTERM, "cannot write console.json: no home directory"),
        ):
            self.environ = environ
            self.live = self.viewer(Screen())
            self.feed()
            self.press("W")
            self.assertIn(words, self.notice())
        self.assertIn("nova-api", self.terminal.text)

    def test_keys_of_recordings(self) -> None:
        """Without one they mean nothing."""
        self.feed()
        before = list(self.terminal.drawn)
        self.press(".", ",", "[", "]", "J")
        self.assertEqual(before, self.terminal.drawn)
        self.assertEqual(1, self.questions)

    def test_any_size(self) -> None:
        """Whatever the window, it is filled exactly, as the terminal checks."""
        self.feed()
        for width, height in ((1, 1), (1, 50), (300, 1), (300, 100), (20, 7), (80, 24)):
            self.terminal.size = (width, height)
            self.live.resized(width, height)
            self.feed()
            self.press("?", "Down", "x", "L", "x", "F6", "Esc", "/", "Esc")

    def test_a_bug_in_a_key_is_not_swallowed(self) -> None:
        """The terminal, which called, ends the screen by it."""
        self.patch(self.live, "draw", lambda: 1 / 0)
        self.assertRaises(ZeroDivisionError, self.live.pressed, "Down")


STAYING = sorted(
    key
    for _, bindings in SECTIONS
    for each in bindings
    if each.action is not Action.QUIT
    for key in each.keys
)
TYPED = "ckout>3 hostname:ctl1 !nova 0.5 \x1b日\u0301"
STEPS = st.one_of(
    st.tuples(st.just("press"), st.sampled_from(STAYING)),
    st.tuples(st.just("press"), st.sampled_from([*TYPED, "Paste q\n\x1b[2J", "F12"])),
    st.tuples(st.just("answer"), st.integers(0, 3)),
    st.tuples(st.just("have"), st.integers(0, 300)),
    st.tuples(st.just("frame"), st.sampled_from(list(VIEWS)).flatmap(any_frames)),
    st.tuples(st.just("advance"), st.sampled_from([0.0, 0.1, 0.25, 1.0, 1e6])),
    st.tuples(st.just("resize"), st.tuples(st.integers(1, 300), st.integers(1, 100))),
    st.tuples(st.just("told"), st.integers(0, 4)),
)


class Walk:
    """A viewer to whom anything may happen; whatever does not fit fails its test."""

    def __init__(self, case: LiveTestCase) -> None:
        """Begin as the test case does."""
        case.setUp()
        self.case = case

    def step(self, name: str, value: Any) -> None:
        """Do one thing, and let the clock tick."""
        getattr(self, name)(value)
        before = self.case.terminal.draws
        self.case.live.draw()
        assert self.case.terminal.draws == before + 1

    def press(self, key: str) -> None:
        """Press a key; those that leave are not among them."""
        self.case.press(key)
        assert self.case.terminal.statuses == []

    def answer(self, back: int) -> None:
        """Answer one of the newest questions, or have nothing to say."""
        number = self.case.questions - back
        if number >= 1:
            self.case.feed(number)

    def have(self, count: int) -> None:
        """Have other programs."""
        self.case.source.have(many(count))

    def frame(self, frame: Frame) -> None:
        """A frame of whatever view, with anything in it."""
        number = self.case.questions
        self.case.live.shown((frame,), number, NODE2, 1e300)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.case.clock.advance(seconds)

    def resize(self, size: tuple[int, int]) -> None:
        """Pull at the window's corner."""
        self.case.terminal.size = size
        self.case.live.resized(*size)

    def told(self, kind: int) -> None:
        """Something becomes of the link."""
        live = self.case.live
        if kind == 0:
            live.lost(LOST)
        elif kind == 1:
            live.trying(THERE, 3.0)
        elif kind == 2 and live.exhausted((LOST, REFUSED)) is False:
            self.case.terminal.statuses.clear()  # nothing had come by then
        elif kind == 3:
            live.refused("no \x1b[2J", self.case.questions)
        elif kind == 4:
            live.noted("the recording ends\n")


class StackTests(LiveTestCase):
    """Where the holder of a connection is now."""

    FOUND = Found(
        Identity("3fa2", "ctl1", "api", 7),
        "node1",
        Told(1, (Stack(1, 2.0, "worker", frames=("a.py:1 f", "b.py:2 \x1b[31mg")),)),
    )

    def setUp(self) -> None:
        """The connections, with the cursor on the first."""
        super().setUp()
        self.press("8")
        self.feed()
        self.press("s")
        self.whose, self.answer = self.source.stacked[0]

    def test_asked_once(self) -> None:
        """It is asked when the key is pressed, and no frame asks again."""
        frame = self.source.frames[CONNECTIONS]
        row = dict(zip(frame.fields, frame.rows[0], strict=True))
        process, connection = row["process"], row["connection"]
        self.assertEqual(Whose(process=process, connection=connection), self.whose)
        self.assertIn("asking the process", self.terminal.text)
        self.feed()
        self.clock.advance(5)
        self.press("s", "s")
        self.assertEqual(1, len(self.source.stacked))

    def test_the_answer(self) -> None:
        """Is drawn when it comes, harmless, with the time; and stays when left."""
        self.answer.callback((self.FOUND,))
        at = clock.told(NOW, clock.TIME)
        for text in (f"at {at}", "ctl1 api[7]", "a.py:1 f", "b.py:2 ?[31mg", "STACK"):
            self.assertIn(text, self.terminal.text)
        self.feed()
        self.assertIn("a.py:1 f", self.terminal.text)
        self.press("Esc")
        self.assertNotIn("a.py:1 f", self.terminal.text)

    def test_again(self) -> None:
        """The last answer stays until there is another."""
        self.answer.callback((self.FOUND,))
        self.press("s")
        self.assertIn("a.py:1 f", self.terminal.text)
        self.source.stacked[1][1].callback(())
        self.assertNotIn("a.py:1 f", self.terminal.text)
        self.assertIn(f"no process {self.whose.process} is known", self.terminal.text)

    def test_of_another(self) -> None:
        """An answer for what is not looked at any more is not shown."""
        self.press("Esc", "Down", "s")
        self.assertEqual(2, len(self.source.stacked))
        self.answer.callback((self.FOUND,))
        self.assertIn("asking the process", self.terminal.text)

    def test_no_answer(self) -> None:
        """Why is said, and one may ask again."""
        self.answer.errback(NoStacks("no node is linked just now"))
        self.assertIn("no node is linked just now", self.terminal.text)
        self.press("s")
        self.assertEqual(2, len(self.source.stacked))

    def test_after_the_end(self) -> None:
        """Nothing is drawn any more."""
        drawn = self.terminal.text
        self.live.stop()
        self.answer.callback((self.FOUND,))
        self.assertEqual(drawn, self.terminal.text)

    def test_what_is_too_wide(self) -> None:
        """Of a line of code the end is seen, for it tells most."""
        self.terminal.size = (40, 24)
        long = "deep/" * 20 + "orders.py:88 create"
        stack = Stack(1, 2.0, "worker", frames=(long,))
        self.answer.callback((self.FOUND._replace(told=Told(1, (stack,))),))
        self.assertIn("       …", self.terminal.text)
        self.assertIn("orders.py:88 create", self.terminal.text)


class WalkTests(LiveTestCase):
    """Whatever is done and happens, the screen is drawn, and fits."""

    @settings(deadline=None, max_examples=100, database=None)
    @given(st.lists(STEPS, max_size=40))
    def test_walk(self, steps: list[tuple[str, Any]]) -> None:
        """No key, frame, loss, resize or pause fails, in any order."""
        self.patch(snapshot, "save", lambda lines, path: path)
        walk = Walk(self)
        for name, value in steps:
            walk.step(name, value)
        self.live.stop()
        self.assertEqual([], self.clock.getDelayedCalls())


class ReplayTests(LiveTestCase):
    """A recording in the place of a node."""

    COUNT = 5

    def setUp(self) -> None:
        """Five pictures, a second apart: one program more in each."""
        super().setUp()
        path = self.mktemp()
        recorder = Recorder(path, clock=lambda: NOW)
        for number in range(self.COUNT):
            self.source.have(many(number + 1))
            frames = [replace(FRAMES[each.view], head=HEAD) for each in WHOLE]
            frames[0] = self.source.frames[PROGRAMS]
            recorder.record(NOW + number, as_line(frames))
        recorder.close()
        self.live = Live(
            self.clock, Screen(), UNICODE, self.logbook, XTERM, now=lambda: 0.0
        )
        recording = Recording(path)
        self.addCleanup(recording.close)
        self.replayed = Replayed(self.clock, self.live, "some.rec")
        player = Player(self.clock, recording, self.replayed.played, lambda: None)
        self.replayed.join(player)
        terminal: Any = self.terminal
        self.live.join(terminal, self.replayed, player)
        self.live.resized(*self.terminal.size)
        self.replayed.start()
        self.clock.advance(0)

    def shows(self, number: int, *words: str) -> None:
        """Whether it is that picture, with these words about it."""
        self.assertIn(f"p{number - 1:04}", self.terminal.text)
        self.assertNotIn(f"p{number:04}", self.terminal.text)
        at = clock.told(NOW + number - 1, clock.DATE_AND_TIME)
        self.assertIn(at, self.terminal.drawn[0])
        said = ", ".join([f"picture {number} of {self.COUNT}", *words])
        self.assertIn(said, [line.strip() for line in self.terminal.drawn])

    def test_it_plays(self) -> None:
        """Each picture when it is due, and the last one stays."""
        for number in (1, 2, 3, 4, 5, 5, 5):
            self.shows(number)
            self.assertTrue(self.terminal.drawn[0].endswith("REPLAY"))
            self.clock.advance(1.0)

    def test_stacks(self) -> None:
        """It has none, and that is said."""
        self.press("8", "s")
        self.assertEqual("a recording has no stacks", self.notice())

    def test_pause(self) -> None:
        """It stays, and goes on from there."""
        self.clock.advance(1.0)
        self.press(" ")
        self.clock.advance(10.0)
        self.shows(2, "paused")
        self.press(" ")
        self.clock.advance(1.0)
        self.shows(3)

    def test_step(self) -> None:
        """One picture on or back, paused by it, and not beyond the ends."""
        self.press(".")
        self.shows(2, "paused")
        self.press(".", ".", ",")
        self.shows(3, "paused")
        self.press(*",,,,,,")
        self.shows(1, "paused")
        self.press(*".......")
        self.shows(5, "paused")
        self.press(*",,,")
        self.press(" ")
        self.shows(2)

    def test_speed(self) -> None:
        """Twice as fast, half as fast."""
        self.press("]")
        self.shows(1, "2 times as fast as it was")
        self.clock.advance(0.5)
        self.shows(2, "2 times as fast as it was")
        self.press("[", "[")
        self.clock.advance(1.0)
        self.shows(2, "0.5 times as fast as it was")
        self.clock.advance(1.0)
        self.shows(3, "0.5 times as fast as it was")

    def test_jump(self) -> None:
        """To a time, and on from there; what is no time is told."""
        self.press("J")
        self.type("+3s")
        self.shows(4)
        self.clock.advance(1.0)
        self.shows(5)
        self.press("J")
        self.type("noon")
        self.assertIn("'noon' is no moment", self.terminal.text)
        self.press("J")
        self.type("-4s")
        self.shows(1)

    def test_every_view(self) -> None:
        """They are of the picture that is shown, also where it is paused."""
        self.press(".")
        for key, word in zip("2345678", WORDS, strict=True):
            self.press(key)
            self.clock.advance(0)
            self.assertIn(word, self.terminal.text)
            self.assertIn("picture 2 of 5, paused", self.terminal.text)

    def test_a_picture_that_cannot_be_read(self) -> None:
        """It is passed over, and told."""
        self.replayed.played(NOW, b"[2, [], [")
        self.assertIn("a picture that is not JSON", self.notice())
        self.replayed.played(NOW, b"[7, [], []]")
        self.assertIn("expected", self.notice())
        self.shows(1)

    def test_the_end(self) -> None:
        """Nothing is left that waits."""
        self.press("Down", "2")
        self.live.stop()
        self.replayed.stop()
        self.assertEqual([], self.clock.getDelayedCalls())


WORDS = (
    "batch1",
    "worker-1",
    "unreachable",
    "first one began",
    "11200",
    "10+∞",
    "detached",
)
"""What is to be seen in the views with the keys 2 to 8."""
