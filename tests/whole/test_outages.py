"""While no node can be reached, the application notices nothing, and then all is there.

What was seen in the story that ``tests.whole.outage`` tells, and what such a time
leaves in memory.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.whole import strangers
from tests.whole.fleet import WITHIN
from tests.whole.outage import (
    END_SECONDS,
    ENDINGS,
    LONGER_SECONDS,
    TROUBLES,
    WAITED_SECONDS,
    Sufferer,
    can_ask_nobody,
    story,
)
from tests.whole.servers import eventually
from tests.whole.strangers import Absent, Stranger

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 4.0
"""Between two attempts, at most: as the documentation has them, not the code."""

NOTICED_SECONDS = 7.0
"""The longest pause is 4 seconds; then there is a link, a report, and a frame of it."""

STAY_SECONDS = 0.5
"""For how long a thread may be seen in one place of ours: others have their turn."""

CHECKOUT_BYTES = 1_000_000
"""What 300,000 checkouts may cost: they leave nothing, but a heap is never quiet."""

CLOSED_BYTES = 12_000_000
"""What 20,000 connections that come and go may cost: 300 bytes each, if all are closed
within a second, and as much again for the heap."""

FLOOD_BYTES = 4_000_000
"""What somebody who sends without end may cost."""

ATTEMPT_OBJECTS = 300
"""What 300 attempts may leave: if each left the little it can, it would be 1800."""


class OutageTests(SynchronousTestCase):
    """What was seen in the story: of each kind of trouble, nothing but what is said."""

    def test_no_checkout_takes_longer(self) -> None:
        """Not even the slowest of four threads', than in a program without us."""
        bound = story().plain_slowest + LONGER_SECONDS
        courses = story().courses.items()
        slow = {name: each.slowest for name, each in courses if each.slowest > bound}
        self.assertEqual({}, slow, f"more than {bound}")

    def test_no_thread_is_kept_from_work(self) -> None:
        """A single thread is running, or about to, all the time."""
        bound = story().plain_waited + WAITED_SECONDS
        courses = story().courses.items()
        kept = {name: each.waited for name, each in courses if each.waited > bound}
        self.assertEqual({}, kept, f"more than {bound}")

    def test_no_thread_is_seen_where_links_are_made(self) -> None:
        """Nor anywhere of ours for long."""
        links = ("wire/", "client/link", "client/lookup", "client/reporting")
        self.assertTrue(any(each.stays for each in story().courses.values()))
        for name, each in story().courses.items():
            for place, seconds in each.stays.items():
                self.assertFalse(place.startswith(links), (name, place))
                self.assertLess(seconds, STAY_SECONDS, (name, place))

    def test_attempts_become_rarer(self) -> None:
        """Their number is what the pauses allow, no more and no less."""
        counted = 0
        for name, each in story().courses.items():
            if each.attempts is not None:
                least, most = _expected(each.seconds, each.trouble.seconds)
                seen = (name, least, each.attempts, most, each.seconds, each.calls)
                self.assertTrue(least <= each.attempts <= most, seen)
                counted += 1
        self.assertEqual(len(TROUBLES), counted)

    def test_programs_do_not_try_in_step(self) -> None:
        """Two that were started at the same moment soon try at different ones."""
        apart = []
        for one, other in story().twins:
            pauses = zip(_pauses(one.calls), _pauses(other.calls), strict=False)
            apart += [abs(pause - another) for pause, another in pauses]
        self.assertGreater(len(apart), 4)
        self.assertGreater(max(apart), 0.1)

    def test_the_end_is_not_held_up(self) -> None:
        """Half a second at most, also in the middle of a first attempt."""
        bound = story().plain_ended + END_SECONDS
        courses = story().courses
        took = {name: courses[name].child_ended for name in ENDINGS & courses.keys()}
        late = {name: s for name, s in took.items() if s is None or s > bound}
        self.assertEqual({}, late, f"more than {bound}")

    def test_a_node_that_comes_back_is_found(self) -> None:
        """At the same address, and the program is on its board with what it has."""
        courses = story().courses.items()
        noticed = {name: each.noticed for name, each in courses}
        late = {n: s for n, s in noticed.items() if s is None or s > NOTICED_SECONDS}
        self.assertEqual({}, late)

    def test_nothing_was_forgotten(self) -> None:
        """The node is told of every checkout there was."""
        courses = story().courses.items()
        told = {name: each.told for name, each in courses}
        self.assertEqual({name: each.taken for name, each in courses}, told)

    def test_one_line_is_said_at_most(self) -> None:
        """Of what a node would not do; of an outage, none. And programs end well."""
        for each in story().everyone:
            self.assertEqual(0, each.status, each.trouble.name)
            wanted = each.trouble.complaint
            wanted = r"connmon: [0-9.:]+: " + wanted if wanted else ""
            said = "\n".join(each.said[:9])
            self.assertTrue(re.fullmatch(wanted, said), (each.trouble.name, said))

    def test_names_that_nobody_knows(self) -> None:
        """A name server that does not answer is one of the troubles."""
        if not can_ask_nobody():
            raise SkipTest("only root can give a program another name server")
        self.assertIn("no_names", story().courses)
        self.assertGreater(len(story().names.asked), 5)


class MemoryTests(SynchronousTestCase):
    """What is kept of all that happens and is tried: nothing that grows."""

    def setUp(self) -> None:
        """What must be ended."""
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.directory = self.stack.enter_context(tempfile.TemporaryDirectory())

    def sufferer(self, address: str, setup: str = "") -> Sufferer:
        """A program with nothing but trouble at this address."""
        program = self.stack.enter_context(Sufferer(self.url(address)))
        program.do(setup or "None")
        return program

    def url(self, address: str) -> str:
        """A watched database."""
        database = f"sqlite:///{self.directory}/{address}.db"
        return f"{database}?plugin=connmon&connmon_addr={address}"

    def test_checkouts_and_connections(self) -> None:
        """Nothing is kept of 300,000 checkouts; of a closed connection, for a second.

        However far the conversation with the node went before it broke off.
        """
        troubles = [Absent(), *map(Stranger, _SILENT)]
        for each in troubles:
            self.stack.enter_context(each)
        with ThreadPoolExecutor(2) as pool:
            seen = list(pool.map(self._churn, troubles))
        for used, closed, left in seen:
            self.assertLess(used, CHECKOUT_BYTES, seen)
            self.assertLess(closed, CLOSED_BYTES, seen)
            self.assertEqual([0, 0, 20], left, seen)

    def _churn(self, place: Stranger) -> tuple[int, int, list[int]]:
        """How much more memory a program had, and what is left of connections."""
        program = self.sufferer(place.address)
        program.do(
            "from connmon.client.agent import HERE\n"
            "null = create_engine(url, poolclass=NullPool)\n"
            "ledger = HERE.agents[0].ledger\n"
            "held = [engine.connect() for _ in range(20)]\n"
            "[each.close() for each in held]\n"
            "churn(engine.raw_connection, 20_000)\n"
            "churn(null.raw_connection, 500)\n"
            "def left():\n"
            "    records = [type(each).__name__ == 'Connection' and\n"
            "        type(each).__module__ == 'connmon.model.connection'\n"
            "        for each in gc.get_objects()]\n"
            "    return [len(ledger._closed), len(ledger._stirred), sum(records)]\n"
        )
        used = self._growth(program, *["churn(engine.raw_connection, 50_000)"] * 6)
        closed = self._growth(program, *["churn(null.raw_connection, 10_000)"] * 2)
        eventually(lambda: program.do("left()") == [0, 0, 20], 3.0)
        return used, closed, program.do("left()")

    def _growth(self, program: Sufferer, *orders: str) -> int:
        """How much more memory a program had at most while it did something."""
        program.do("before = resident(); forget_the_peak()")
        for order in orders:
            program.do(order)
        return int(program.do('resident("VmHWM") - before'))

    def test_what_a_stranger_sends(self) -> None:
        """However much that is."""
        place = self.stack.enter_context(Stranger(strangers.floods))
        program = self.sufferer(place.address)
        program.do("before = resident(); forget_the_peak()")
        program.begin()
        self.assertTrue(eventually(lambda: len(place.calls) > 3, WITHIN))
        self.assertLess(program.do('resident("VmHWM") - before'), FLOOD_BYTES)

    def test_attempts(self) -> None:
        """They leave nothing, even where the application has no collector."""
        places = [self.stack.enter_context(Stranger(each)) for each in _QUICK]
        program = self.sufferer(
            places[0].address,
            "from connmon.wire import route\n"
            "route.LONGEST_PAUSE = 0.01\n"
            "gc.disable()\n",
        )
        urls = [self.url(each.address) for each in places[1:]]
        program.do(f"more = [create_engine(url) for url in {urls!r}]")
        program.do("[each.connect().close() for each in (engine, *more)]")
        self.assertTrue(eventually(lambda: _least_calls(places) > 30, WITHIN))
        before = program.do("len(gc.get_objects())")
        self.assertTrue(eventually(lambda: _least_calls(places) > 90, WITHIN))
        self.assertLess(program.do("len(gc.get_objects())") - before, ATTEMPT_OBJECTS)


def _least_calls(places: Sequence[Stranger]) -> int:
    """How often the one of them who was called least was."""
    return min(len(each.calls) for each in places)


#: Whom to wait for, with the greeting or a report on its way.
_SILENT = (
    strangers.never_reads,
    strangers.stops_listening,
)

#: Who lets another attempt follow at once, in each way a link can end.
_QUICK = (
    strangers.hangs_up,
    strangers.takes_one,
    strangers.speaks_http,
    strangers.refuses,
    strangers.makes_no_sense,
)


def _expected(seconds: float, each: float) -> tuple[int, int]:
    """How many attempts there are in so many seconds, at least and at most.

    ``each`` takes so long itself. One more or less is chance, and a busy machine may be
    late with each.
    """
    return _count(seconds, each + 0.2, 1.0) - 1, _count(seconds, each, 0.5) + 1


def _count(seconds: float, each: float, share: float) -> int:
    """How many attempts, if of the longest pauses this share is waited."""
    at, number = 0.0, 0
    while at <= seconds:
        at += each + share * min(FIRST_PAUSE * 2.0**number, LONGEST_PAUSE)
        number += 1
    return number


def _pauses(calls: list[float]) -> list[float]:
    """The times between calls."""
    return [later - call for call, later in pairwise(calls)]
