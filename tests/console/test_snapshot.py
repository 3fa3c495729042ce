"""The screen as a text file."""

from __future__ import annotations

import builtins
import os
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connmon.console.snapshot import save
from connmon.console.text import Style
from connmon.errors import ConfigError

LINES = [
    ((Style.TITLE, "connmon"), (Style.PLAIN, "  日 ")),
    (),
    ((Style.QUIET, "  end"),),
]


class SaveTests(SynchronousTestCase):
    """``save`` writes a whole new file, or none."""

    def complaint(self, path: str) -> str:
        """What is said of a file that cannot be written."""
        return str(self.assertRaises(ConfigError, save, LINES, path))

    def test_text(self) -> None:
        """The lines as they are seen, without looks and without blanks at the end."""
        path = os.path.abspath(self.mktemp())
        self.assertEqual(path, save(LINES, path))
        self.assertEqual("connmon  日\n\n  end\n", Path(path).read_text("utf-8"))

    def test_where(self) -> None:
        """The whole path is told, of a file here and of one at home."""
        here = self.mktemp()
        self.assertEqual(os.path.abspath(here), save(LINES, here))
        home = os.path.abspath(self.mktemp())
        os.mkdir(home)
        self.patch(os, "environ", {**os.environ, "HOME": home})
        self.assertEqual(f"{home}/a.txt", save(LINES, "~/a.txt"))
        self.assertTrue(os.path.exists(f"{home}/a.txt"))

    def test_in_vain(self) -> None:
        """What is there stays, and the reason is one line, whatever the name."""
        path = self.mktemp()
        Path(path).write_text("mine")
        for name, reason in (
            (path, "File exists"),
            (".", "File exists"),
            ("/nonexistent/x", "No such file or directory"),
            ("x" * 300, "File name too long"),
        ):
            self.assertEqual(f"cannot save to {name}: {reason}", self.complaint(name))
        self.assertEqual("mine", Path(path).read_text())
        self.assertEqual(
            "cannot save to a\\x00\\x1b[2J: embedded null byte",
            self.complaint("a\0\x1b[2J"),
        )

    def test_a_full_disk(self) -> None:
        """Nothing is left of what could not be written as a whole."""
        path = self.mktemp()

        def opened(name: str, mode: str, encoding: str) -> Any:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            return real("/dev/full", "w", encoding=encoding)

        real = builtins.open
        self.patch(builtins, "open", opened)
        said = self.complaint(path)
        self.patch(builtins, "open", real)
        self.assertEqual(f"cannot save to {path}: No space left on device", said)
        self.assertFalse(os.path.exists(path))

    if not os.path.exists("/dev/full"):
        test_a_full_disk.skip = "no /dev/full"  # type: ignore[attr-defined]
