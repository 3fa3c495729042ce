"""Tests of the console's command line: what is meant, and what is a mistake."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon import __version__
from connmon.config import Address, UnixAddress
from connmon.console.options import Choices, Target, parse
from connmon.errors import ConfigError
from connmon.wire.commands import VIEWS

CONFIG = """\
[connmon_service_one]
name: default
nodes:
    a hostname=10.0.0.1
    b hostname=[::1]:5801
    c hostname=10.0.0.1:5800 bind=10.0.0.1:5802
odd: 1

[connmon_service_two]
name: two
nodes:
    a hostname=10.0.0.3
"""


class OptionsTestCase(SynchronousTestCase):
    """Command lines with a config in a file."""

    def setUp(self) -> None:
        """Write the config."""
        self.path = self.mktemp()
        Path(self.path).write_text(CONFIG, encoding="utf-8")

    def parse(self, *argv: str) -> Choices:
        """What a command line with the config means."""
        return parse(["-c", self.path, *argv], "connmon")

    def complaint(self, *argv: str) -> str:
        """The last line of what is said about a bad option, which ends with 2."""
        with redirect_stderr(io.StringIO()) as err:
            ended = self.assertRaises(SystemExit, parse, argv, "connmon")
        self.assertEqual(2, ended.code)
        usage, last = err.getvalue().rstrip("\n").rsplit("\n", 1)
        self.assertTrue(usage.startswith("usage: connmon "), usage)
        return last


class TargetTests(OptionsTestCase):
    """Which nodes are meant."""

    def test_the_default_service(self) -> None:
        """All of its nodes, each address once, and the config's warnings."""
        target = self.parse().target
        self.assertEqual("default", target.service)
        self.assertEqual(
            (Address("10.0.0.1", 5800), Address("::1", 5801)), target.addresses
        )
        self.assertEqual(1, len(target.warnings))

    def test_another_service(self) -> None:
        """By its name, long or short."""
        expected = (Address("10.0.0.3", 5800),)
        for name in ("-s", "--service"):
            target = self.parse(name, "two").target
            self.assertEqual(("two", expected), (target.service, target.addresses))

    def test_one_node(self) -> None:
        """Only that one is tried then."""
        for name in ("-n", "--node"):
            target = self.parse(name, "b").target
            self.assertEqual((Address("::1", 5801),), target.addresses)

    def test_an_address(self) -> None:
        """No config is needed, and any service is taken, unless one is named."""
        for name in ("-H", "--host"):
            argv = ["-c", "/nonexistent", name, "[::1]:1"]
            self.assertEqual(
                Target("", (Address("::1", 1),)), parse(argv, "connmon").target
            )
        self.assertEqual(
            Target("", (UnixAddress("/run/c.sock"),)),
            parse(["-H", "unix:/run/c.sock"], "connmon").target,
        )
        self.assertEqual(
            Target("two", (Address("h", 5800),)),
            parse(["-H", "h", "-s", "two"], "connmon").target,
        )

    def test_what_the_config_lacks(self) -> None:
        """The error says what there is."""
        for argv, words in (
            (["-s", "x"], "no service 'x', expected one of: default, two"),
            (["-n", "x"], "no node 'x', expected one of: a, b, c"),
        ):
            error = self.assertRaises(ConfigError, self.parse, *argv)
            self.assertIn(words, str(error))

    def test_a_missing_config(self) -> None:
        """One that was asked for must be there."""
        self.assertRaises(ConfigError, parse, ["--config", "/nonexistent"], "connmon")


class FormTests(OptionsTestCase):
    """What is shown, how often and for how long."""

    def test_defaults(self) -> None:
        """The screen, every two seconds, without end."""
        choices = self.parse()
        self.assertEqual(
            (None, 2.0, None), (choices.form, choices.delay, choices.iterations)
        )

    def test_forms(self) -> None:
        """Three of them."""
        for name, form in (
            ("-b", "text"),
            ("--batch", "text"),
            ("--json", "json"),
            ("--csv", "csv"),
        ):
            self.assertEqual(form, self.parse(name).form)

    def test_views(self) -> None:
        """Programs, unless told otherwise."""
        self.assertEqual("programs", self.parse().view)
        for view in VIEWS:
            for argv in (["--view", view], [f"--view={view}", "--json"]):
                self.assertEqual(view, self.parse(*argv).view)

    def test_delay_and_count(self) -> None:
        """Long and short, attached or not."""
        for argv in (
            ["-d", "0.5", "-N", "3"],
            ["-d0.5", "-N3"],
            ["--delay=0.5", "--iterations=3"],
        ):
            choices = self.parse(*argv)
            self.assertEqual((0.5, 3), (choices.delay, choices.iterations))

    @given(st.floats(0.1, 3600.0))
    def test_every_delay_a_node_serves_is_taken(self, delay: float) -> None:
        """As it is written."""
        choices = parse(["-H", "h", "-d", repr(delay)], "connmon")
        self.assertEqual(delay, choices.delay)


class MistakeTests(OptionsTestCase):
    """A bad option is status 2 and a line that says what was expected."""

    def test_both_address_and_node(self) -> None:
        """They say two things about one."""
        self.assertEqual(
            "connmon: error: -H/--host and -n/--node: give one of them, not both",
            self.complaint("-H", "h", "-n", "a"),
        )

    def test_two_forms(self) -> None:
        """One stream has one form."""
        self.assertEqual(
            "connmon: error: argument --csv: not allowed with argument --json",
            self.complaint("--json", "--csv"),
        )

    def test_a_bad_address(self) -> None:
        """The mistake is named as in the config."""
        self.assertEqual(
            "connmon: error: argument -H/--host: bad port 'x' in 'h:x', "
            "expected HOST[:PORT] with a port from 1 to 65535",
            self.complaint("-H", "h:x"),
        )
        self.assertEqual(
            "connmon: error: argument -H/--host: 'c' in 'unix:c' is no absolute path "
            "of a file, expected unix:/PATH with an absolute path",
            self.complaint("-H", "unix:c"),
        )

    def test_an_unknown_view(self) -> None:
        """Those there are are named."""
        said = self.complaint("-H", "h", "--view", "node")
        self.assertIn("argument --view: invalid choice: 'node' (choose from ", said)
        for view in VIEWS:
            self.assertIn(view, said)

    def test_bad_delays(self) -> None:
        """No seconds at all, none, or more or less than a node is willing to serve."""
        for text in ("x", "", "nan", "inf", "-1", "0"):
            self.assertEqual(
                f"connmon: error: argument -d/--delay: {text!r}, "
                "expected seconds, more than 0",
                self.complaint(f"--delay={text}"),
            )
        for text in ("0.09", "3601"):
            self.assertEqual(
                f"connmon: error: argument -d/--delay: {text!r}, "
                "expected seconds from 0.1 to 3600",
                self.complaint("-d", text),
            )

    def test_bad_counts(self) -> None:
        """Whole numbers in plain digits only, and not so long that nobody counts."""
        for text in ("x", "", "0", "-1", "1.5", "1_0", "٣", "9" * 5000):
            said = self.complaint(f"--iterations={text}")
            self.assertTrue(
                said.startswith("connmon: error: argument -N/--iterations: "), said
            )
            self.assertTrue(said.endswith(", expected a whole number from 1"), said)
            self.assertLess(len(said), 200)

    def test_unknown_options_and_words(self) -> None:
        """An abbreviation is none of the options either."""
        for argv in (["--jso"], ["--nope"], ["word"], ["-b", "word"]):
            self.assertEqual(
                f"connmon: error: unrecognized arguments: {argv[-1]}",
                self.complaint("-H", "h", *argv),
            )

    def test_help_and_version(self) -> None:
        """They end with 0 and say so on standard output."""
        for name, start in (
            ("-h", "usage: connmon "),
            ("--help", "usage: connmon "),
            ("-V", f"connmon {__version__}\n"),
            ("--version", f"connmon {__version__}\n"),
        ):
            with redirect_stdout(io.StringIO()) as out:
                ended = self.assertRaises(SystemExit, parse, [name], "connmon")
            self.assertEqual(0, ended.code)
            self.assertTrue(out.getvalue().startswith(start), out.getvalue())
