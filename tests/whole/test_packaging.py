"""connmon as it is built, installed and uninstalled by a user."""

from __future__ import annotations

import configparser
import functools
import importlib
import os
import pkgutil
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy.dialects
from twisted.trial.unittest import SynchronousTestCase

# The suite may run by way of a link to tests/: the checkout is where it leads.
CHECKOUT = Path(__file__).resolve().parents[2]

DIALECTS = ("firebird", "mssql", "mysql", "oracle", "postgresql", "sqlite", "sybase")


def run(*command: str | Path, cwd: Path) -> str:
    """The output of a command that has to succeed.

    It runs as in a user's shell: warnings in pip are not for this suite to judge, and
    no PYTHONPATH shows it the checkout.
    """
    environ = {key: value for key, value in os.environ.items() if key[:6] != "PYTHON"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"{command}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def copied_checkout(place: Path) -> Path:
    """The checkout without what was built in it, free to be built in."""
    leftovers = shutil.ignore_patterns(
        ".*", "__pycache__", "_trial_temp*", "build", "dist", "*.egg-info"
    )
    return Path(shutil.copytree(CHECKOUT, place / "checkout", ignore=leftovers))


def shipped_dialects() -> set[str]:
    """``dialect.driver`` for every dialect in the SQLAlchemy that is installed."""
    names = set()
    for package in pkgutil.iter_modules(sqlalchemy.dialects.__path__):
        if package.name not in DIALECTS:
            continue
        module = importlib.import_module(f"sqlalchemy.dialects.{package.name}")
        for driver, inner in vars(module).items():
            if driver != "base" and isinstance(getattr(inner, "dialect", None), type):
                names.add(f"{package.name}.{driver}")
    return names


@dataclass(frozen=True)
class Built:
    """What was built, and the directory it is in."""

    place: Path
    wheel: Path
    sdist: Path


@functools.cache
def built() -> Built:
    """The sdist, and the wheel built from what it holds; made once, under trial's."""
    place = Path(tempfile.mkdtemp(prefix="packaging-", dir=".")).resolve()
    source = copied_checkout(place)
    run(sys.executable, "-m", "build", "--outdir", place, source, cwd=place)
    (wheel,) = place.glob("*.whl")
    (sdist,) = place.glob("*.tar.gz")
    return Built(place, wheel, sdist)


class PackagingTests(SynchronousTestCase):
    """One wheel, built from the sdist, in one clean environment."""

    def setUp(self) -> None:
        """Build, the first time."""
        self.built = built()

    def entry_points(self, group: str) -> dict[str, str]:
        """The wheel's entry points in one group."""
        with zipfile.ZipFile(self.built.wheel) as wheel:
            (name,) = (n for n in wheel.namelist() if n.endswith("/entry_points.txt"))
            text = wheel.read(name).decode()
        parser = configparser.ConfigParser(delimiters=("=",))
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(text)
        return dict(parser[group])

    def test_wheel(self) -> None:
        """It holds the plugin, the example, the licence; nothing that is Twisted's."""
        with zipfile.ZipFile(self.built.wheel) as wheel:
            names = wheel.namelist()
        self.assertEqual(
            ["twisted/plugins/connmon_plugin.py"],
            [name for name in names if name.startswith("twisted/")],
        )
        ends = [".data/data/share/connmon/connmon.cfg", "/LICENSE"]
        for end in ends:
            self.assertTrue([n for n in names if n.endswith(end)], f"no {end}: {names}")
        self.assertEqual([], [name for name in names if name.startswith("tests")])
        self.assertIn("connmon/__init__.py", names)
        self.assertIn("connmon/client/startup/sitecustomize.py", names)

    def test_sdist(self) -> None:
        """It holds what is needed to build, check and test, as the checkout does."""
        with tarfile.open(self.built.sdist) as sdist:
            names = {name.partition("/")[2] for name in sdist.getnames()}
        wanted = {
            "LICENSE",
            "Makefile",
            "connmon.cfg",
            "noxfile.py",
            "pyproject.toml",
            "setup.py",
            "tests/whole/test_packaging.py",
            "twisted/plugins/connmon_plugin.py",
        }
        self.assertEqual(set(), wanted - names)
        self.assertEqual(
            {"twisted", "twisted/plugins", "twisted/plugins/connmon_plugin.py"},
            {name for name in names if name.startswith("twisted")},
        )

    def test_commands(self) -> None:
        """There are two commands."""
        self.assertEqual(
            {"connmon": "connmon.cli:main", "connmond": "connmon.cli:daemon"},
            self.entry_points("console_scripts"),
        )

    def test_sqlalchemy_plugin(self) -> None:
        """``?plugin=connmon`` leads to the plugin."""
        self.assertEqual(
            {"connmon": "connmon.client.plugin:ConnmonPlugin"},
            self.entry_points("sqlalchemy.plugins"),
        )

    def test_dialects(self) -> None:
        """Each dialect, bare or with a driver, and no driver SQLAlchemy has is missing.

        mariadb stands beside mysql with the same drivers.
        """
        given = self.entry_points("sqlalchemy.dialects")
        self.assertEqual({"connmon.client.plugin:ConnmonWrapper"}, set(given.values()))
        shipped = shipped_dialects()
        shipped |= {n.replace("mysql.", "mariadb.") for n in shipped if "mysql." in n}
        self.assertIn("mysql.pymysql", shipped)
        wanted = {f"{name}_connmon" for name in shipped}
        wanted |= {f"{dialect}.connmon" for dialect in (*DIALECTS, "mariadb")}
        self.assertEqual(set(), wanted - set(given))

    def test_comes_and_goes(self) -> None:
        """Installed, twistd knows it; uninstalled, Twisted is as it was."""
        place = self.built.place
        environment = place / "environment"
        self.addCleanup(shutil.rmtree, environment)
        run(sys.executable, "-m", "venv", environment, cwd=place)
        python, twistd = environment / "bin" / "python", environment / "bin" / "twistd"

        run(python, "-m", "pip", "install", "--quiet", self.built.wheel, cwd=place)
        self.assertTrue((environment / "share" / "connmon" / "connmon.cfg").exists())
        self.assertTrue((environment / "bin" / "connmond").exists())
        helped = run(twistd, "--help", cwd=place).split()
        self.assertEqual((True, True), ("connmon" in helped, "web" in helped))
        run(python, "-c", "import connmon.daemon.tap", cwd=place)

        run(python, "-m", "pip", "uninstall", "--yes", "connmon", cwd=place)
        helped = run(twistd, "--help", cwd=place).split()
        self.assertEqual((False, True), ("connmon" in helped, "web" in helped))
        run(twistd, "web", "--help", cwd=place)
