"""Tests of what ``connmon run`` has every Python do at its start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import create_engine
from twisted.trial.unittest import SynchronousTestCase

import connmon
from connmon.client import engines, options, startup
from tests.client.test_plugin import NOWHERE, EnginesTestCase, watched

STARTUP = startup.__path__[0]
FIRST = [STARTUP]
ABOVE = str(Path(connmon.__file__).parents[1])


class DestinationTests(EnginesTestCase):
    """Whom engines report to."""

    def setUp(self) -> None:
        """As ``connmon run`` sets it."""
        super().setUp()
        os.environ["CONNMON_RUN"] = NOWHERE

    def test_it_goes_before_everything(self) -> None:
        """Arguments, URL and environment; mistakes in what it replaces are not seen."""
        os.environ["CONNMON_SERVICE"] = "other"
        os.environ["CONNMON_CONFIG"] = "/nonexistent"
        for url in (
            "sqlite+connmon://?connmon_addr=10.1.1.1&connmon_service=billing",
            "sqlite+connmon://?connmon_config=/nonexistent&connmon_trace=off",
            "sqlite://?plugin=connmon",
        ):
            engine = create_engine(url)
            self.assertTrue(watched(engine))
            ours = engines._WATCHED[engine]
            self.assertEqual("run", ours.destination.service)
            self.assertEqual(NOWHERE, str(ours.destination.addresses[0]))
            self.assertEqual("all", ours.asked.trace)

    def test_what_it_leaves_open(self) -> None:
        """The program's name and what else is counted are its own."""
        url = "sqlite+connmon://?connmon_program=shop&connmon_transactions=all"
        asked = engines._WATCHED[create_engine(url)].asked
        self.assertEqual(("shop", "all"), (asked.program, asked.transactions))

    def test_an_environment_that_is_emptied(self) -> None:
        """What was there at first goes on to hold."""
        self.patch(options, "_TREE_AT_IMPORT", NOWHERE)
        os.environ.clear()
        self.assertTrue(options.in_tree(os.environ))
        self.assertEqual(NOWHERE, options.tree({})[0].values["addr"])

    def test_elsewhere(self) -> None:
        """Nothing is asked for."""
        del os.environ["CONNMON_RUN"]
        self.assertFalse(options.in_tree(os.environ))
        self.assertEqual((), options.tree(os.environ))


class StartTests(SynchronousTestCase):
    """A Python that finds our ``sitecustomize``."""

    def setUp(self) -> None:
        """A directory with modules of others."""
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()

    def ran(
        self, script: str, *path: str, flags: tuple[str, ...] = (), run: str = NOWHERE
    ) -> tuple[int, str, str]:
        """The status, output and errors of a script; ``path`` follows our directory."""
        entries = [*FIRST, *path]
        kept = {k: v for k, v in os.environ.items() if k[:6] != "PYTHON"}
        done = subprocess.run(
            [sys.executable, *flags, "-W", "error", "-c", script],
            env={
                **kept,
                "PYTHONPATH": os.pathsep.join(entries),
                "CONNMON_RUN": run,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def test_engines_are_watched(self) -> None:
        """Of SQLAlchemy, whenever it is imported; and nothing is left behind."""
        script = (
            "import sys\n"
            "assert not [n for n in sys.modules if n.startswith('connmon')]\n"
            f"assert {STARTUP!r} not in sys.path\n"
            "from sqlalchemy import create_engine\n"
            "engine = create_engine('sqlite://')\n"
            "assert 'sitecustomize' not in str(sys.meta_path)\n"
            "from connmon.client import engines\n"
            "print(engines._WATCHED[engine].destination.addresses[0])\n"
        )
        self.assertEqual((0, f"{NOWHERE}\n", ""), self.ran(script, ABOVE))

    def test_sqlalchemy_that_is_imported_already(self) -> None:
        """As by a file of site-packages, before anybody's ``sitecustomize``."""
        script = (
            "import runpy, sqlalchemy, sys\n"
            "assert 'connmon.client' not in sys.modules\n"
            f"runpy.run_path({STARTUP + '/sitecustomize.py'!r})\n"
            "from sqlalchemy import create_engine\n"
            "engine = create_engine('sqlite://')\n"
            "from connmon.client import engines\n"
            "print(engine in engines._WATCHED)\n"
        )
        self.patch(sys.modules[__name__], "FIRST", [])
        self.assertEqual((0, "True\n", ""), self.ran(script, ABOVE))

    def test_a_sitecustomize_of_others(self) -> None:
        """It is run, by its own name, and is found by those who import it."""
        text = "import sys\nprint(__name__, sys.modules[__name__].__file__)\n"
        file = self.directory / "sitecustomize.py"
        file.write_text(text)
        script = "import sitecustomize\nprint(sitecustomize.__file__)\n"
        expected = f"sitecustomize {file}\n{file}\n"
        self.assertEqual((0, expected, ""), self.ran(script, str(self.directory)))

    def test_one_that_fails(self) -> None:
        """Python says what it says without us."""
        (self.directory / "sitecustomize.py").write_text("1 / 0\n")
        status, out, err = self.ran("print(1)", str(self.directory))
        self.assertEqual((0, "1\n"), (status, out))
        self.assertIn("ZeroDivisionError", err)
        self.assertNotIn("connmon", err)

    def test_without_connmon(self) -> None:
        """A Python that lacks it, or has another, runs as ever."""
        package = self.directory / "connmon"
        package.mkdir()
        (package / "__init__.py").write_text("raise LookupError('broken')\n")
        script = "import sqlalchemy\nprint(1)\n"
        found = self.ran(script, str(self.directory))
        self.assertEqual((0, "1\n", ""), found)

    def test_a_path_that_is_left_over(self) -> None:
        """Where nobody listens, nothing is set up."""
        script = "import sys\nprint('sitecustomize' in str(sys.meta_path))\n"
        self.assertEqual((0, "False\n", ""), self.ran(script, run=""))
        self.assertEqual((0, "True\n", ""), self.ran(script))

    def test_flags_that_keep_us_out(self) -> None:
        """No site, no environment, neither."""
        script = "import sys\nprint('sitecustomize' in sys.modules)\n"
        for flag in ("-S", "-E", "-I"):
            out = self.ran(script, flags=(flag,))[1]
            self.assertEqual("False\n", out, flag)

    def test_the_end_without_exit_functions(self) -> None:
        """``os._exit`` is what it was, but tells what is left first."""
        script = (
            "import os, sys, sqlalchemy\n"
            "assert os._exit.__name__ == '_exit' and os._exit.__wrapped__\n"
            "class HERE:\n"
            "    def leave(): print('left', flush=True); raise ValueError\n"
            "sys.modules['connmon.client.agent'] = sys.modules[__name__]\n"
            "os._exit(7)\n"
        )
        self.assertEqual((7, "left\n", ""), self.ran(script, ABOVE))
        plain = "import os, sqlalchemy\nos._exit(status=5)\n"
        self.assertEqual((5, "", ""), self.ran(plain, ABOVE))
