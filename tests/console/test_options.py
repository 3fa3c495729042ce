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
from connmon.console.options import COLORS, Target, Wanted, fields, parse
from connmon.errors import ConfigError
from connmon.views.query import Query
from connmon.views.schema import EVENTS, NODES, PROGRAMS, VIEWS

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

    def parse(self, *argv: str) -> Wanted:
        """What a command line with the config means."""
        return parse(["-c", self.path, *argv], "connmon")

    def target(self, *argv: str) -> Target:
        """Which nodes a command line with the config means."""
        target = self.parse(*argv).target
        assert target is not None
        return target

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
        target = self.target()
        self.assertEqual("default", target.service)
        self.assertEqual(
            (Address("10.0.0.1", 5800), Address("::1", 5801)), target.addresses
        )
        self.assertEqual(1, len(target.warnings))

    def test_another_service(self) -> None:
        """By its name, long or short."""
        expected = (Address("10.0.0.3", 5800),)
        for name in ("-s", "--service"):
            target = self.target(name, "two")
            self.assertEqual(("two", expected), (target.service, target.addresses))

    def test_one_node(self) -> None:
        """Only that one is tried then."""
        for name in ("-n", "--node"):
            target = self.target(name, "b")
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
        """The screen as it was kept, without end; in a pipe all programs."""
        wanted = self.parse()
        self.assertEqual(
            Wanted(target=self.target(), form=None, query=Query(PROGRAMS)), wanted
        )
        self.assertEqual((None, None), (wanted.view, wanted.delay))

    def test_forms(self) -> None:
        """Four of them, under the names that they have always had, too."""
        for name, form in (
            ("-b", "text"),
            ("--batch", "text"),
            ("--json", "json"),
            ("--dump-only", "json"),
            ("--csv", "csv"),
            ("--logging", "log"),
        ):
            self.assertEqual(form, self.parse(name).form)

    def test_views(self) -> None:
        """Programs, unless told otherwise; what was told holds on the screen too."""
        for view in VIEWS:
            for argv in (["--view", view], [f"--view={view}", "--json"]):
                wanted = self.parse(*argv)
                self.assertEqual((view, view), (wanted.query.view, wanted.view))

    def test_delay_and_count(self) -> None:
        """Long and short, attached or not."""
        for argv in (
            ["-d", "0.5", "-N", "3"],
            ["-d0.5", "-N3"],
            ["--delay=0.5", "--iterations=3"],
        ):
            wanted = self.parse(*argv)
            self.assertEqual((0.5, 3), (wanted.delay, wanted.iterations))

    def test_width_and_colours(self) -> None:
        """As they are written."""
        for argv in (["-w", "80"], ["-w80"], ["--width=80"]):
            self.assertEqual(80, self.parse(*argv).width)
        for color in COLORS:
            self.assertEqual(color, self.parse("--color", color).color)

    @given(st.floats(0.1, 3600.0))
    def test_every_delay_a_node_serves_is_taken(self, delay: float) -> None:
        """As it is written."""
        wanted = parse(["-H", "h", "-d", repr(delay)], "connmon")
        self.assertEqual(delay, wanted.delay)


class RowsTests(OptionsTestCase):
    """Which rows, and in which order."""

    def test_filter(self) -> None:
        """It is passed on as it is written."""
        for argv in (["--filter", "nova ckout>3"], ["--filter=nova ckout>3"]):
            self.assertEqual(("nova ckout>3",), self.parse(*argv).query.where)
        self.assertEqual(("!nova",), self.parse("--filter", "!nova").query.where)
        self.assertEqual(("-nova",), self.parse("--filter=-nova").query.where)

    def test_a_filter_that_negates(self) -> None:
        """A minus does not make another option of a term."""
        for text in ("-nova", "-b", "-progname:nova ckout>3"):
            wanted = self.parse("-b", "--filter", text, "-N", "1")
            self.assertEqual(
                ((text,), "text", 1),
                (wanted.query.where, wanted.form, wanted.iterations),
            )

    def test_no_filter(self) -> None:
        """An empty one, as of a variable that is not set, is none."""
        for text in ("", "  ", "\t"):
            self.assertEqual((), self.parse("--filter", text).query.where)

    def test_order(self) -> None:
        """As in top: + has the largest first, - the smallest.

        Without either, numbers are downwards, and all else is upwards.
        """
        for text, order in (
            ("ckout", "-ckout"),
            ("+ckout", "-ckout"),
            ("-ckout", "ckout"),
            ("hostname", "hostname"),
            ("+hostname", "-hostname"),
            ("-hostname", "hostname"),
            ("CKOUT/s", "-ckoutpersec"),
            ("-Wp99", "wait_p99_seconds"),
            ("pool_worst", "-pool_worst"),
            ("-oldest_s", "oldest_seconds"),
            ("+PROGN", "-progname"),
            ("last 60s", "history"),
            # What stands over the columns of the screen, where that is another word.
            ("POOL worst", "-pool_worst"),
            ("-pool WORST", "pool_worst"),
            ("SIZE+OV", "-pool_size"),
        ):
            for argv in (["-o", text], ["--sort", text], [f"--sort={text}"]):
                wanted = self.parse(*argv)
                self.assertEqual((order, order), (wanted.sort, wanted.query.sort))
        self.assertEqual(None, self.parse().sort)
        for text, order in (("TIME", "-age_seconds"), ("-WHO", "progname")):
            self.assertEqual(order, self.parse("--view", "events", "-o", text).sort)

    def test_downwards_among_other_options(self) -> None:
        """A minus does not make another option of a field."""
        for argv in (
            ["-b", "-o", "-ckout", "-N", "1"],
            ["-bo", "-ckout", "-N1"],
            ["-o-ckout", "-bN1"],
            ["-N", "1", "-b", "--sort", "-ckout"],
        ):
            wanted = self.parse(*argv)
            self.assertEqual(
                ("ckout", "text", 1), (wanted.sort, wanted.form, wanted.iterations)
            )

    def test_every_field_of_every_view(self) -> None:
        """It can be sorted by, under its name."""
        for view in VIEWS.values():
            for field in view.fields:
                wanted = self.parse("--view", view.name, "-o", f"+{field.name}")
                self.assertEqual(f"-{field.name}", wanted.sort)

    def test_the_fields(self) -> None:
        """``-O`` lists them, without a config or a node."""
        wanted = parse(["-c", "/nonexistent", "-O", "--view", NODES], "connmon")
        self.assertEqual((True, None), (wanted.list_fields, wanted.target))
        self.assertEqual(NODES, wanted.query.view)
        self.assertTrue(parse(["--list-fields"], "connmon").list_fields)

    def test_the_list(self) -> None:
        """A line for each field: name, heading, meaning, in columns."""
        for view in VIEWS.values():
            lines = fields(view).splitlines()
            self.assertEqual(len(view.fields), len(lines))
            for field, line in zip(view.fields, lines, strict=True):
                self.assertEqual(field.name, line.split()[0])
                self.assertTrue(line.endswith(f"  {field.meaning}"), line)
                self.assertIn(f" {field.heading} ", line)
            starts = {
                line.index(f"  {each.meaning}")
                for each, line in zip(view.fields, lines, strict=True)
            }
            self.assertEqual(1, len(starts))


class TapeTests(OptionsTestCase):
    """What is recorded, and what is replayed."""

    def test_record(self) -> None:
        """The file is named, and nothing else changes."""
        wanted = self.parse("--record", "a.rec")
        self.assertEqual(("a.rec", None), (wanted.record, wanted.replay))
        self.assertEqual(self.target(), wanted.target)

    def test_replay(self) -> None:
        """No config is read, and no node is sought."""
        wanted = parse(["--replay", "a.rec", "--json", "--view", EVENTS], "connmon")
        self.assertEqual(
            Wanted(
                target=None,
                form="json",
                query=Query(EVENTS),
                view=EVENTS,
                replay="a.rec",
            ),
            wanted,
        )

    def test_where_and_how_fast(self) -> None:
        """Both are as they are written; the moment depends on the recording."""
        for text in ("14:02", "+90s", "-5m", "1700000000", "2026-11-26 14:02:31"):
            for argv in (["--at", text], [f"--at={text}"]):
                wanted = parse(["--replay", "x", *argv, "--speed", "2.5"], "connmon")
                self.assertEqual((text, 2.5), (wanted.at, wanted.speed))

    def test_not_without_a_recording(self) -> None:
        """There is nothing to jump in."""
        for name, value in (("--at", "14:02"), ("--speed", "2")):
            self.assertEqual(
                f"connmon: error: argument {name}: only with --replay",
                self.complaint("-H", "h", name, value),
            )

    def test_not_with_a_recording(self) -> None:
        """A node is not asked then, and nothing new can be recorded."""
        for name, said in (
            ("--record", "--record"),
            ("-H", "-H/--host"),
            ("-n", "-n/--node"),
            ("-s", "-s/--service"),
            ("-c", "-c/--config"),
        ):
            self.assertEqual(
                f"connmon: error: argument {said}: not with --replay",
                self.complaint("--replay", "x", name, "y"),
            )

    def test_bad_moments(self) -> None:
        """Those there are are named."""
        for text in ("", "noon", "25:00", "+5", "-5y"):
            said = self.complaint("--replay", "x", f"--at={text}")
            start = f"connmon: error: argument --at: {text!r} is no moment, expected "
            self.assertTrue(said.startswith(start), said)

    def test_bad_speeds(self) -> None:
        """A number above none is expected."""
        for text in ("", "x", "0", "-1", "nan", "inf"):
            self.assertEqual(
                f"connmon: error: argument --speed: {text!r}, "
                "expected a number, more than 0",
                self.complaint("--replay", "x", f"--speed={text}"),
            )


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
        for one, other in (("--json", "--csv"), ("--dump-only", "--logging")):
            said = self.complaint(one, other)
            self.assertTrue(
                said.startswith(
                    f"connmon: error: argument {other}: not allowed with argument "
                ),
                said,
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

    def test_a_bad_filter(self) -> None:
        """The option is named, and so are the term and what is wrong with it."""
        for text, words in (
            ("nope>3", "'nope>3' names 'nope', no field of programs, expected one of "),
            ("ckout>many", "'ckout>many'"),
            ("x" * 1001, "has 1001 characters"),
        ):
            said = self.complaint("-H", "h", "--filter", text)
            self.assertTrue(
                said.startswith("connmon: error: argument --filter: "), said
            )
            self.assertIn(words, said)
            self.assertLess(len(said), 400)

    def test_a_filter_of_another_view(self) -> None:
        """It has to be one of the view that is wanted."""
        self.parse("--view", NODES, "--filter", "lag>1s")
        self.complaint("-H", "h", "--filter", "lag>1s")

    def test_a_bad_order(self) -> None:
        """The fields that there are are listed."""
        for text in ("nope", "", "+", "-", "+-ckout", "---", "x" * 5000):
            said = self.complaint("-H", "h", f"--sort={text}")
            name = text[1:] if text[:1] in ("+", "-") else text
            start = f"connmon: error: argument -o/--sort: no field {name[:40]!r} in "
            self.assertTrue(said.startswith(start), said[:200])
            names = ", ".join(each.name for each in VIEWS[PROGRAMS].fields)
            self.assertTrue(said.endswith(f"programs, expected one of {names}"), said)

    def test_an_order_by_several(self) -> None:
        """A beginning of several names is refused, and they are listed."""
        self.assertEqual(
            "connmon: error: argument -o/--sort: several fields begin with 'maxc' "
            "in programs, expected one of maxconn, maxckout",
            self.complaint("-H", "h", "-o", "-maxc"),
        )

    def test_no_order(self) -> None:
        """An option that follows is not taken for it."""
        for argv in (["-o"], ["-o", "--json"], ["--sort", "--json"]):
            self.assertEqual(
                "connmon: error: argument -o/--sort: expected one argument",
                self.complaint("-H", "h", *argv),
            )

    def test_only_dashes(self) -> None:
        """As the value of what is no name of the user's own.

        A file may be called so; whether argparse takes it depends on the Python.
        """
        of_numbers = ("delay", "speed", "at", "width")
        for name in ("host", "sort", "filter", "view", "color", *of_numbers):
            said = self.complaint("-H", "h", f"--{name}=--")
            self.assertIn(f"--{name}: ", said)

    def test_a_bad_colour(self) -> None:
        """Those there are are named."""
        said = self.complaint("-H", "h", "--color", "pink")
        self.assertIn("argument --color: invalid choice: 'pink' (choose from ", said)

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
        wrong = ("x", "", "0", "-1", "1.5", "1_0", "٣", "9" * 5000)
        for name, said_name, end, texts in (
            ("--iterations", "-N/--iterations", "from 1", wrong),
            ("--width", "-w/--width", "from 1 to 10000", (*wrong, "10001")),
        ):
            for text in texts:
                said = self.complaint(f"{name}={text}")
                start = f"connmon: error: argument {said_name}: "
                self.assertTrue(said.startswith(start), said)
                self.assertTrue(said.endswith(f", expected a whole number {end}"), said)
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
