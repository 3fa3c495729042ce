"""What the console would have logged, to be read on its screen."""

from __future__ import annotations

import time

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from connmon.console.clock import told
from connmon.console.logbook import LINES, Logbook


class LogbookTests(SynchronousTestCase):
    """The newest lines of the log."""

    def setUp(self) -> None:
        """An open logbook, and somebody who logs."""
        self.logbook = Logbook()
        self.logbook.open()
        self.addCleanup(self.logbook.close)
        self.log = Logger(namespace="test", source=self)

    def test_a_line(self) -> None:
        """When, how bad, and what."""
        before = time.time()
        self.log.warn("the {what} is lost", what="node")
        (line,) = self.logbook.lines()
        self.assertIn(line[:8], (told(before), told(time.time())))
        self.assertEqual(" warn the node is lost", line[8:])

    def test_several_lines(self) -> None:
        """Each is one of its own, so that none can hide another."""
        self.log.info("one\ntwo\r\nthree")
        self.assertEqual(
            ["info one", "two", "three"],
            [
                line[9:] if number == 0 else line
                for number, line in enumerate(self.logbook.lines())
            ],
        )

    def test_an_error(self) -> None:
        """It comes with its traceback."""
        try:
            raise RuntimeError("as asked for")
        except RuntimeError:
            self.log.failure("while {what}", Failure(), what="testing")
        first, *traceback = self.logbook.lines()
        self.assertTrue(first.endswith(" critical while testing"), first)
        self.assertIn("RuntimeError: as asked for", traceback[-1])
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))

    def test_what_cannot_be_formatted(self) -> None:
        """It is told as well as it can be, and does no harm."""
        self.log.info("{nothing}")
        (line,) = self.logbook.lines()
        self.assertIn("nothing", line)

    def test_a_note(self) -> None:
        """The console may note something itself."""
        self.logbook.note("lost node1")
        (line,) = self.logbook.lines()
        self.assertEqual(" lost node1", line[8:])

    def test_the_oldest_go_first(self) -> None:
        """No more than so many lines are kept, however many an event has."""
        for number in range(LINES):
            self.logbook.note(f"{number}")
        self.logbook.note("\n".join("abc"))
        lines = self.logbook.lines()
        self.assertEqual(LINES, len(lines))
        self.assertTrue(lines[0].endswith(" 3"), lines[0])
        self.assertEqual("c", lines[-1])

    def test_closed(self) -> None:
        """Nothing is heard any more, and nothing is forgotten."""
        self.log.info("one")
        self.logbook.close()
        self.log.info("two")
        self.assertEqual(1, len(self.logbook.lines()))
