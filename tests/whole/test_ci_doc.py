"""docs/ci.rst: its commands are run, and its tables are what there is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from connmon.run.telling import SILENT, WORDS, as_object, as_text
from connmon.run.witness import KINDS, Verdict
from tests.run.test_telling import a_finding, a_verdict
from tests.whole.fleet import WITHIN
from tests.whole.test_run import SAYS, environ

DOC = Path(__file__).absolute().parents[2] / "docs" / "ci.rst"

FILES = {
    "shop.py": (
        "from sqlalchemy import create_engine\n"
        "engine = create_engine('sqlite:///shop.db')\n"
        "held = [engine.connect() for _ in range(3)]\n"
    ),
    "tests/test_it.py": (
        "import sqlalchemy\n\n\n"
        "def test_it():\n"
        "    with sqlalchemy.create_engine('sqlite://').connect():\n"
        "        pass\n"
    ),
}


class DocTests(SynchronousTestCase):
    """The document, as it stands."""

    def setUp(self) -> None:
        """Read it, and write a project to run it in."""
        if not DOC.exists():
            raise SkipTest(f"{DOC} is not part of this installation")
        self.text = DOC.read_text()
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        for name, text in FILES.items():
            (self.directory / name).parent.mkdir(exist_ok=True)
            (self.directory / name).write_text(text)

    def test_commands(self) -> None:
        """Each runs, one after the other."""
        lines = re.findall(r"^    \$ (.*)$", self.text, re.MULTILINE)
        self.assertEqual(3, len(lines))
        out = ""
        for line in lines:
            if "pytest" in line and find_spec("pytest") is None:
                continue
            done = subprocess.run(
                ["sh", "-c", line],
                cwd=self.directory,
                env=environ(self.directory),
                capture_output=True,
                text=True,
                timeout=3 * WITHIN,
                check=False,
            )
            self.assertEqual(0, done.returncode, (line, done.stdout, done.stderr))
            out += done.stdout + done.stderr
        self.assertIn(f"{SAYS}1 process, 3 checkouts, 3 leaks", out)
        self.assertIn("[('shop.py:3', 3)]", out)

    def test_what_is_said(self) -> None:
        """The examples are of the form that is written."""
        for line in re.findall(rf"^    {SAYS}(.*)$", self.text, re.MULTILINE):
            self.assertIn(_form(line), FORMS)
        for word in ("no process reported", "to be told one by one"):
            said = [SILENT, *as_text(a_verdict(untold=2, running=()))]
            self.assertTrue([each for each in said if word in each], word)
            self.assertIn(word, self.text)
        for word in WORDS.values():
            self.assertIn(word, " ".join(self.text.split()))

    def test_keys(self) -> None:
        """What is in the file is in the text, under its name."""
        told = json.loads(json.dumps(as_object(a_verdict(a_finding()), 0)))
        (finding,) = told["findings"]
        table = self.text[self.text.index("\nkind ") :]
        for name in finding:
            self.assertRegex(table, rf"(^|, |\n){name}\b")
        for name in (*told, *KINDS):
            self.assertIn(f"``{name}``", self.text)


COLLECTED = "returned by the garbage collector: SITE (NAME), N times, out N to N, "
FORMS = {
    "N process, N checkouts, N leaks",
    "N processes, N checkouts, no leak",
    "never returned: SITE (NAME), out N at exit, pid N pytest",
    f"{COLLECTED}pid N pytest",
}
"""Lines that are said, with any figures."""


def _form(line: str) -> str:
    """A line without what differs from one to the next."""
    line = re.sub(r": \S+:\d+ \w+ \(\w+\)", ": SITE (NAME)", line)
    return re.sub(r"\b[\d.]+(m?s\b)?", "N", line)


class FormTests(SynchronousTestCase):
    """The forms are those that ``connmon run`` has."""

    def test_each(self) -> None:
        """As it says them."""
        collected = [a_finding("collected", seconds=n) for n in (0.1, 0.2)]
        several: Verdict = a_verdict(a_finding(), *collected, processes=1)
        said = as_text(several) + as_text(a_verdict())
        self.assertEqual(FORMS, {_form(each) for each in said})
