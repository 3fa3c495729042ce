"""Tests of the command line, and of the environment that is made for a command."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stderr
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connmon.address import UnixAddress
from connmon.client import startup
from connmon.run.environment import STARTUP, watched
from connmon.run.main import GRACE_SECONDS, SETTLED_SECONDS, End, main, parse

NODE = UnixAddress("/tmp/c/node")


class OptionTests(SynchronousTestCase):
    """What the command line says."""

    def refused(self, *argv: str) -> str:
        """What is said of a command line with a mistake; nothing is run."""
        with redirect_stderr(io.StringIO()) as err:
            caught = self.assertRaises(SystemExit, main, argv, "connmon run")
        self.assertEqual(2, caught.code)
        return err.getvalue().splitlines()[-1]

    def test_the_command(self) -> None:
        """What follows ``--`` is the command's, whatever it looks like."""
        asked = parse(["--status", "3", "--", "a", "--status", "--", "b"], "x")
        self.assertEqual(("a", "--status", "--", "b"), asked.command)
        self.assertEqual((3, None), (asked.status, asked.file))
        self.assertEqual(1, parse(["--", "a"], "x").status)

    def test_no_command(self) -> None:
        """What was expected is said."""
        for argv in ([], ["--"], ["--status", "3", "--"]):
            said = "connmon run: error: expected -- and a command to run"
            self.assertEqual(said, self.refused(*argv))
        self.assertIn("pytest", self.refused("pytest"))

    def test_a_bad_status(self) -> None:
        """Option, value and expectation."""
        for text in ("-1", "256", "x", "", "\u0663"):
            said = self.refused(f"--status={text}", "--", "true")
            self.assertIn("argument --status", said)
            self.assertIn("expected a number from 0 to 255", said)

    def test_a_file_that_cannot_be_written(self) -> None:
        """It is told before the command is run."""
        said = self.refused("--json", "/nonexistent/x.json", "--", "true")
        self.assertEqual(
            "connmon run: error: argument --json: cannot write '/nonexistent/x.json': "
            "No such file or directory",
            said,
        )
        self.assertIn("argument --json", self.refused("--json", "a\0b", "--", "true"))


class Reactor(Clock):
    """A clock that counts how often it was stopped."""

    stops = 0

    def stop(self) -> None:
        """Count."""
        self.stops += 1


class EndTests(SynchronousTestCase):
    """When all has been heard."""

    def setUp(self) -> None:
        """A command that ended with status 7, and a node."""
        self.clock = Reactor()
        self.node = cast(Any, SimpleNamespace(is_quiet=False))
        self.end = End(self.clock, self.node)
        self.end.came(7)

    def advance(self, seconds: float) -> None:
        """Let time pass, a little at a time."""
        self.clock.pump([0.01] * round(seconds * 100))

    def test_nobody_is_linked(self) -> None:
        """For a moment, since who came last may not have been seen yet."""
        self.node.is_quiet = True
        self.advance(SETTLED_SECONDS / 2)
        self.assertEqual(0, self.clock.stops)
        self.advance(SETTLED_SECONDS)
        self.assertEqual((1, 7), (self.clock.stops, self.end.status))

    def test_somebody_is_linked(self) -> None:
        """They are heard out, and so is who comes meanwhile."""
        for is_quiet in (False, True, False):
            self.node.is_quiet = is_quiet
            self.advance(SETTLED_SECONDS / 2)
        self.assertEqual(0, self.clock.stops)
        self.node.is_quiet = True
        self.advance(2 * SETTLED_SECONDS)
        self.assertEqual(1, self.clock.stops)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_somebody_stays(self) -> None:
        """Not for ever."""
        self.advance(GRACE_SECONDS - 0.1)
        self.assertEqual(0, self.clock.stops)
        self.advance(0.2)
        self.assertEqual(1, self.clock.stops)


class EnvironmentTests(SynchronousTestCase):
    """What a command is given."""

    def test_what_is_added(self) -> None:
        """The node, and the directory with what Python runs first."""
        made = watched({"HOME": "/h"}, NODE)
        self.assertEqual(
            {"HOME": "/h", "CONNMON_RUN": "unix:/tmp/c/node", "PYTHONPATH": STARTUP},
            made,
        )
        self.assertEqual([STARTUP], startup.__path__)
        self.assertTrue((Path(STARTUP) / "sitecustomize.py").exists())

    def test_a_path_of_one_s_own(self) -> None:
        """It follows, with what is empty in it; one run in another adds nothing."""
        for before, after in (
            ("/a:/b", f"{STARTUP}:/a:/b"),
            (":/a", f"{STARTUP}::/a"),
            (f"{STARTUP}:/a", f"{STARTUP}:/a"),
            ("", STARTUP),
        ):
            self.assertEqual(after, watched({"PYTHONPATH": before}, NODE)["PYTHONPATH"])

    def test_disabled(self) -> None:
        """Who runs a command to have it watched wants that."""
        environ = {"CONNMON_DISABLE": "1", "CONNMON_RUN": "unix:/other"}
        made = watched(environ, NODE)
        self.assertNotIn("CONNMON_DISABLE", made)
        self.assertEqual("unix:/tmp/c/node", made["CONNMON_RUN"])
        self.assertNotIn("CONNMON_RUN", os.environ)
