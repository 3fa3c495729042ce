"""Tests of ``connmon check``: its options, the question, and that it always answers."""

from __future__ import annotations

import io
import os
import re
import signal
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from connmon.config import Address
from connmon.console import check
from connmon.console.check import Check, look, main, parse
from connmon.console.options import Target
from connmon.console.thresholds import (
    CRITICAL,
    CRITICAL_STATES,
    DEFAULTS,
    MEASURES,
    SERVER,
    WARNING,
    WARNING_STATES,
    Bounds,
    Limits,
)
from connmon.console.verdict import questions
from connmon.errors import ConfigError, ConnmonError
from connmon.views.schema import PROGRAMS, SERVERS
from tests.console.frames import a_frame, a_program
from tests.console.nodes import Met, Staged
from tests.console.test_doc import DocTests, literals, rows, told_options

PROGRAM = "connmon check"
HERE = ("-H", "10.0.0.1")
QUERIES = questions()


class OptionTests(SynchronousTestCase):
    """The command line."""

    def test_without_any(self) -> None:
        """All programs and servers, the usual thresholds, ten seconds."""
        self.assertEqual(
            Check(Target("", (Address("10.0.0.1", 5800),)), QUERIES, Limits(DEFAULTS)),
            parse(HERE, PROGRAM),
        )

    def test_thresholds(self) -> None:
        """Numbers, percent, and none."""
        wanted = parse(
            (
                *HERE,
                "--warning-used=70%",
                "--critical-used=95",
                "--critical-waiting=none",
                "--warning-age=30",
                "--critical-txn=60.5",
                "--warning-leaks=1",
                "--timeout=2.5",
                "--filter=-progname:x",
                "--warning-state=none",
                "--critical-state=Stuck,leaking",
            ),
            PROGRAM,
        )
        self.assertEqual(
            {
                "used": Bounds(70.0, 95.0),
                "waiting": Bounds(),
                "timeouts": Bounds(critical=1),
                "age": Bounds(30.0),
                "txn": Bounds(None, 60.5),
                "leaks": Bounds(1.0),
                "server": Bounds(80.0, 95.0),
            },
            wanted.limits.bounds,
        )
        self.assertEqual(frozenset(), wanted.limits.warning_states)
        self.assertEqual({"STUCK", "LEAKING"}, wanted.limits.critical_states)
        self.assertEqual(
            (2.5, questions("-progname:x")), (wanted.timeout, wanted.queries)
        )

    def test_thresholds_of_servers(self) -> None:
        """One that is given is in place of the console's alert, none included."""
        for argv, bounds, alerts in (
            ((), Bounds(80, 95), {WARNING, CRITICAL}),
            (("--warning-server=70%",), Bounds(70, 95), {CRITICAL}),
            (("--critical-server=none",), Bounds(80, None), {WARNING}),
            (("--warning-server=80", "--critical-server=95"), Bounds(80, 95), set()),
        ):
            limits = parse((*HERE, *argv), PROGRAM).limits
            self.assertEqual(
                (bounds, alerts), (limits.bounds["server"], limits.alerts), argv
            )

    def test_mistakes(self) -> None:
        """They are named, and none ends it in argparse's way."""
        for argv, said in (
            (["--bogus"], "unrecognized arguments: --bogus"),
            (["--warning-used", "x"], "argument --warning-used: 'x', expected a num"),
            (["--critical-age", "0"], "argument --critical-age: '0', expected a nu"),
            (["--critical-server", "-1"], "argument --critical-server: '-1', expec"),
            (["--critical-age", "nan"], "argument --critical-age: 'nan', expected a"),
            (["--timeout", "-1"], "argument --timeout: "),
            (["--timeout"], "argument --timeout: expected one argument"),
            (["--filter", "colour:red"], "argument --filter: "),
            (["--warning-state", "sad"], "argument --warning-state: 'sad', expected"),
            (["--critical-state", "ok"], "argument --critical-state: 'ok', expected"),
            (["-n", "x"], "-H/--host and -n/--node: give one of them, not both"),
            (["here"], "unrecognized arguments: here"),
        ):
            with self.assertRaises(ConfigError) as caught:
                parse([*HERE, *argv], PROGRAM)
            self.assertTrue(str(caught.exception).startswith(said), caught.exception)


class MainTests(SynchronousTestCase):
    """What is printed, and the exit status."""

    def run_main(self, *argv: str) -> tuple[int, str, str]:
        """The exit status, the output and what was said on standard error."""
        with tempfile.TemporaryFile("w+") as out:
            kept = os.dup(1)
            os.dup2(out.fileno(), 1)
            try:
                with redirect_stderr(io.StringIO()) as err:
                    status = main(argv, PROGRAM)
            finally:
                os.dup2(kept, 1)
                os.close(kept)
            out.seek(0)
            return status, out.read(), err.getvalue()

    def test_mistakes_are_unknown(self) -> None:
        """One line on standard output, and status 3; nothing else is read."""
        for argv, said in (
            (("--bogus",), "unrecognized arguments: --bogus"),
            (("-c", "/nowhere/|x"), "cannot read /nowhere//x: No such file or dir"),
        ):
            status, out, err = self.run_main(*argv)
            self.assertEqual((3, ""), (status, err))
            self.assertTrue(out.startswith(f"CONNMON UNKNOWN - {said}"), out)
            self.assertEqual(1, out.count("\n"))

    def test_an_answer(self) -> None:
        """The verdict on it, by the thresholds that were given."""
        frames = (a_frame(PROGRAMS, [a_program(waiting=2)]), a_frame(SERVERS))
        with mock.patch.object(check, "look", lambda reactor, wanted: frames):
            for argv, status, word in (
                ((), 2, "CRITICAL"),
                (("--warning-waiting=1", "--critical-waiting=3"), 1, "WARNING"),
                (("--critical-waiting=none",), 0, "OK"),
            ):
                found, out, err = self.run_main(*HERE, *argv)
                self.assertEqual((status, ""), (found, err))
                self.assertTrue(out.startswith(f"CONNMON {word} - "), out)

    def test_no_answer(self) -> None:
        """Why is said, whether it was foreseen or not."""
        for error, said in (
            (ConnmonError("no daemon reached"), "no daemon reached"),
            (ZeroDivisionError("oh"), "internal error: ZeroDivisionError('oh')"),
        ):
            with mock.patch.object(check, "look", side_effect=error):
                self.assertEqual(
                    (3, f"CONNMON UNKNOWN - {said}\n", ""), self.run_main(*HERE)
                )

    def test_help(self) -> None:
        """It ends with 0."""
        with redirect_stdout(io.StringIO()), self.assertRaises(SystemExit) as caught:
            main(["--help"], PROGRAM)
        self.assertEqual(0, caught.exception.code)


class LookTests(SynchronousTestCase):
    """The question, with nodes in memory."""

    def setUp(self) -> None:
        """Signals that nobody has set to be ignored.

        A job in the background of a script has some that are.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self.addCleanup(
                signal.signal, number, signal.signal(number, signal.SIG_DFL)
            )

    def wanted(self, *argv: str) -> Check:
        """What is asked of one node."""
        return parse((*HERE, *argv), PROGRAM)

    def test_an_answer(self) -> None:
        """The first frames, of what was asked; then it hangs up."""
        frames = (a_frame(PROGRAMS, [a_program()]), a_frame(SERVERS))
        met: list[Met] = []

        def meanwhile(reactor: Staged) -> None:
            met.append(reactor.meet())
            met[0].flush()
            self.assertEqual(QUERIES, met[0].asked.queries)
            met[0].feed(*frames)
            met[0].flush()

        reactor = Staged(meanwhile)
        found = look(reactor, self.wanted())
        self.assertEqual([each.rows for each in frames], [each.rows for each in found])
        self.assertEqual((1, []), (reactor.stops, reactor.getDelayedCalls()))
        self.assertTrue(met[0].node.ended)

    def no_answer(self, meanwhile: object, *argv: str) -> str:
        """Why there is none; nothing is left waiting."""
        reactor = Staged(meanwhile)  # type: ignore[arg-type]
        with self.assertRaises(ConnmonError) as caught:
            look(reactor, self.wanted(*argv))
        self.assertEqual((1, []), (reactor.stops, reactor.getDelayedCalls()))
        return str(caught.exception)

    def test_too_late(self) -> None:
        """A node that accepts and is silent is given up in time."""

        def silent(reactor: Staged) -> None:
            reactor.meet(silent=True).flush()
            reactor.advance(1.4)
            self.assertEqual(0, reactor.stops)
            reactor.advance(0.2)
            reactor.advance(0)

        said = self.no_answer(silent, "--timeout=1.5")
        self.assertEqual("no answer within 1.5 seconds", said)

    def test_not_understood(self) -> None:
        """A node that knows no such question says so."""

        def puzzled(reactor: Staged) -> None:
            reactor.meet(puzzled="no view of that kind").flush()

        self.assertEqual("no view of that kind", self.no_answer(puzzled))

    def test_no_node(self) -> None:
        """Each that was tried is named, with why."""

        def lost(reactor: Staged) -> None:
            met = reactor.meet(silent=True)
            met.flush()
            met.hang_up()

        said = self.no_answer(lost)
        self.assertTrue(
            said.startswith("no daemon reached, tried 10.0.0.1:5800 ("), said
        )

    def test_interrupted(self) -> None:
        """Whoever stops it is told that it was."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):

            def stopped(reactor: Staged, number: int = number) -> None:
                reactor.meet(silent=True).flush()
                signal.raise_signal(number)

            self.assertEqual("interrupted", self.no_answer(stopped))


class CheckDocTests(DocTests):
    """docs/check.rst."""

    def test_each_option_has_a_row(self) -> None:
        """But for those of every command, and no row has one that there is not."""
        told = [
            cap
            for cells in rows(self.read("docs/check.rst"))
            for cap in literals(cells[0])
            if cap.startswith("-")
        ]
        common = {"-c", "--config", "-s", "--service", "-n", "--node", "-H", "--host"}
        own = told_options("check") - common - {"-h", "--help"}
        self.assertEqual(sorted(own), sorted(told))

    def test_each_figure_has_a_row(self) -> None:
        """In their order."""
        told = [
            cap
            for cells in rows(self.read("docs/check.rst"))
            for cap in literals(cells[0])
        ]
        labels = [each.label for each in (*MEASURES, SERVER)]
        self.assertEqual(labels, [cap for cap in told if cap in labels])

    def test_what_leads_to_a_status(self) -> None:
        """The table has the states and shares of the code, each at its status."""
        told = {
            cells[0]: " ".join(cells[1:])
            for cells in rows(self.read("docs/check.rst"))
            if cells[0][:1].isdigit()
        }
        words = {each: set(literals(said)) for each, said in told.items()}
        self.assertEqual(set(WARNING_STATES), words["1 ``WARNING``"])
        self.assertEqual(set(CRITICAL_STATES), words["2 ``CRITICAL``"])
        used, server = DEFAULTS["used"], DEFAULTS["server"]
        shares = {each: re.findall(r"(\d+) %", said) for each, said in told.items()}
        self.assertEqual(
            [f"{used.warning:.0f}", f"{server.warning:.0f}"], shares["1 ``WARNING``"]
        )
        self.assertEqual([f"{server.critical:.0f}"], shares["2 ``CRITICAL``"])

    def test_what_it_looks_at(self) -> None:
        """All that there are thresholds for, and nowhere that all is well."""
        text = " ".join(self.read("docs/check.rst").split())
        _, _, rest = text.partition(" What it looks at ")
        listed, _, _ = rest.partition(" Options ")
        said = {
            "used": "how full its fullest pool is",
            "waiting": "how many wait",
            "timeouts": "what timed out in the last 60 seconds",
            "age": "its oldest checkout",
            "txn": "its oldest transaction",
            "leaks": "how many connections have leaked",
            "server": "how many of them are open",
        }
        self.assertEqual(set(DEFAULTS), set(said))
        for each in said.values():
            self.assertIn(each, listed)
        for name in ("README.rst", "docs/check.rst"):
            self.assertNotIn("all is well", self.read(name))
