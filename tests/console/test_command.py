"""How commands end that print something."""

from __future__ import annotations

import io
from contextlib import redirect_stderr

from twisted.trial.unittest import SynchronousTestCase

from connmon.console.command import complain, ended, warn
from connmon.errors import ConfigError


class CommandTests(SynchronousTestCase):
    """The status, and lines on standard error."""

    def test_its_own_status(self) -> None:
        """Is what the command says, with nothing said besides."""
        with redirect_stderr(io.StringIO()) as err:
            self.assertEqual(3, ended("connmon who", lambda: 3))
        self.assertEqual("", err.getvalue())

    def test_a_mistake(self) -> None:
        """Is one line, and status 1."""

        def fails() -> int:
            raise ConfigError("c.cfg: no such service")

        with redirect_stderr(io.StringIO()) as err:
            self.assertEqual(1, ended("connmon who", fails))
        self.assertEqual("connmon who: c.cfg: no such service\n", err.getvalue())

    def test_a_fault_of_ours(self) -> None:
        """Is not taken for one."""

        def fails() -> int:
            raise ValueError("x")

        self.assertRaises(ValueError, ended, "connmon who", fails)

    def test_warnings(self) -> None:
        """Are a line each."""
        with redirect_stderr(io.StringIO()) as err:
            warn("connmon", ["a", "b"])
            complain("connmon", "c")
        self.assertEqual("connmon: a\nconnmon: b\nconnmon: c\n", err.getvalue())
