"""Tests of the commands: which one is meant, and what is said of mistakes."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

from twisted.trial.unittest import SynchronousTestCase

from connmon import __version__, cli
from connmon.console import main

COMMANDS = "listen, demo, timeouts, who, stack, check, run, advice"


class CommandTests(SynchronousTestCase):
    """``connmon`` and the words that may follow it."""

    def said(self, *argv: str) -> tuple[object, str, str]:
        """The status, standard output and standard error of a command that ends."""
        with (
            redirect_stdout(io.StringIO()) as out,
            redirect_stderr(io.StringIO()) as err,
        ):
            try:
                status: object = cli.run(argv)
            except SystemExit as ended:
                status = ended.code
        return status, out.getvalue(), err.getvalue()

    def test_an_unknown_command(self) -> None:
        """Status 2, and the commands there are."""
        self.assertEqual(
            (
                2,
                "",
                f"connmon: no command 'top', expected one of: {COMMANDS}\n",
            ),
            self.said("top", "-b"),
        )

    def test_without_a_command_it_is_the_console(self) -> None:
        """Its help names the others."""
        status, out, _ = self.said("--help")
        self.assertEqual(0, status)
        self.assertTrue(out.startswith("usage: connmon ["), out)
        self.assertIn("connmon listen, connmon demo", out)

    def test_each_command_has_help_of_its_own(self) -> None:
        """With the name it was called by."""
        for command, start in (
            ("listen", "Usage: connmon listen "),
            ("demo", "usage: connmon demo "),
            ("timeouts", "usage: connmon timeouts "),
            ("who", "usage: connmon who "),
            ("stack", "usage: connmon stack "),
            ("check", "usage: connmon check "),
            ("run", "usage: connmon run "),
        ):
            status, out, _ = self.said(command, "--help")
            self.assertIn(status, (0, None))
            self.assertTrue(out.startswith(start), out)

    def test_the_version(self) -> None:
        """The same for console and node."""
        for argv in (["--version"], ["-V"], ["listen", "--version"]):
            self.assertEqual((0, f"connmon {__version__}\n", ""), self.said(*argv))

    def test_a_bad_option_is_status_2(self) -> None:
        """Whichever command it was given to; nothing is on standard output."""
        for argv in (
            ["--nope"],
            ["listen", "--nope"],
            ["demo", "--nope"],
            ["timeouts", "--nope"],
            ["who", "--nope", "1"],
            ["stack", "h:1", "--nope"],
            ["run", "--nope", "--", "true"],
        ):
            status, out, err = self.said(*argv)
            self.assertEqual((2, ""), (status, out))
            self.assertIn("nope", err)

    def test_a_bad_config_is_status_1_and_one_line(self) -> None:
        """For the console and for a node."""
        status, out, err = self.said("-c", "/nonexistent/connmon.cfg", "-b")
        self.assertEqual((1, ""), (status, out))
        self.assertTrue(
            err.startswith("connmon: cannot read /nonexistent/connmon.cfg: "), err
        )
        self.assertEqual(1, err.count("\n"))
        status, out, err = self.said("listen", "-c", "/nonexistent/connmon.cfg")
        self.assertTrue(
            str(status).startswith("connmon: cannot read /nonexistent/"), status
        )

    def test_each_command_imports_only_what_it_needs(self) -> None:
        """A console starts without the node's parts, and without SQLAlchemy."""
        script = (
            "import sys; from connmon import cli; from connmon.console import main\n"
            "print(*sorted(n for n in sys.modules if n == 'sqlalchemy'\n"
            "    or n.startswith(('connmon.daemon', 'connmon.client',\n"
            "                     'connmon.demo', 'connmon.run',\n"
            "                     'twisted.internet.reactor'))))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        self.assertEqual("\n", done.stdout)


class FormTests(SynchronousTestCase):
    """The screen or a form, as options and terminal have it."""

    def test_the_screen_where_there_is_a_terminal(self) -> None:
        """Unless a form was asked for."""
        self.assertEqual((None, None), main.chosen(None, None, screen=True))
        self.assertEqual(("json", 3), main.chosen("json", 3, screen=True))

    def test_a_count_is_for_what_is_written(self) -> None:
        """The screen has no use for it, and would go on without a word."""
        self.assertEqual(("text", 3), main.chosen(None, 3, screen=True))

    def test_one_frame_where_there_is_none(self) -> None:
        """Plain text, or the form and count that were asked for."""
        self.assertEqual(("text", 1), main.chosen(None, None, screen=False))
        self.assertEqual(("text", 3), main.chosen(None, 3, screen=False))
        self.assertEqual(("csv", None), main.chosen("csv", None, screen=False))
