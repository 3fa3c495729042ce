"""The examples in docs/application.rst, run as they stand, and its tables."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from connmon.client import options

DOC = Path(__file__).absolute().parents[2] / "docs" / "application.rst"

#: What the commands of the text need beside the examples themselves.
OTHERS = {
    "app.py": "import sys\nassert sys.argv[1:] in ([], ['--its-own', 'options'])\n",
}

#: Commands that are no Python's, or need a server: tests/hosts runs the like of them.
ELSEWHERE = ("gunicorn", "alembic")


#: The health check once more, when the books have been kept.
LATER = """
import connmon, contextlib, io, json, time
with contextlib.redirect_stdout(io.StringIO()):
    from health import engine
with engine.connect():
    end = time.monotonic() + 20
    while not connmon.status()["destinations"][0]["pools"]:
        assert time.monotonic() < end
    print(json.dumps(connmon.status()))
"""


def blocks(text: str) -> list[str]:
    """The literal blocks of the document."""
    found = re.findall(r"::\n\n((?:    .*\n|\n)+)", text)
    return [textwrap.dedent(each).strip() + "\n" for each in found]


class ExampleTests(SynchronousTestCase):
    """Every example, in a directory of its own, where no node is reached."""

    def setUp(self) -> None:
        """Write the programs."""
        if not DOC.exists():
            raise SkipTest(f"{DOC} is not part of this installation")
        self.text = DOC.read_text()
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.programs = [each for each in blocks(self.text) if each.startswith("# ")]
        for each in self.programs:
            name, _, body = each.removeprefix("# ").partition("\n")
            (self.directory / name).write_text(body)
        for name, body in OTHERS.items():
            (self.directory / name).write_text(body)

    def ran(self, *words: str) -> str:
        """Run Python with these words; what it says."""
        done = subprocess.run(
            [sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", *words],
            cwd=self.directory,
            env={k: v for k, v in os.environ.items() if not k.startswith("CONNMON_")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((0, ""), (done.returncode, done.stderr), words)
        return done.stdout

    def test_programs(self) -> None:
        """Each runs without a complaint."""
        self.assertEqual(5, len(self.programs))
        for name in ("by_url.py", "by_argument.py", "by_call.py"):
            self.assertEqual("", self.ran(name))
        said = self.ran("mistake.py")
        self.assertIn("connmon_addr=127.0.0.1:port: bad port 'port'", said)
        self.assertIn("expected HOST[:PORT]", said)

    def test_commands(self) -> None:
        """Each command line."""
        lines = re.findall(r"^    \$ python (.*)$", self.text, re.MULTILINE)
        self.assertEqual(4, len(lines))
        for line in lines:
            words = line.split()
            if not set(words) & set(ELSEWHERE):
                self.assertEqual("", self.ran(*words))

    def test_what_status_says_is_what_the_tables_say(self) -> None:
        """Key by key."""
        json.loads(self.ran("health.py"))
        said = json.loads(self.ran("-c", LATER))
        (destination,) = said["destinations"]
        tables = self.tables()
        self.assertIn(list(said), tables)
        self.assertIn(list(destination), tables)
        (pool,) = destination["pools"]
        (connection,) = pool["connections"]
        after = self.text.partition("Each of the pools has")[2]
        for key in [*pool, *connection]:
            self.assertIn(f"``{key}``", after)

    def tables(self) -> list[list[str]]:
        """The first column of each table; a cell may have several keys."""
        found = []
        for paragraph in self.text.split("\n\n"):
            if paragraph.startswith("==="):
                rows = [line for line in paragraph.splitlines() if line[0] not in " ="]
                cells = [row.partition("  ")[0].split(", ") for row in rows]
                found.append([key for cell in cells for key in cell])
        return found

    def test_every_option_is_in_the_table(self) -> None:
        """As it is spelled in each place."""
        for name in options.NAMES:
            spelled: Any = (f"connmon_{name}", f"CONNMON_{name.upper()}", f"``{name}``")
            for each in spelled:
                self.assertIn(each, self.text)
