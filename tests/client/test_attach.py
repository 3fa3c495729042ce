"""Tests of ``connmon.attach``: an engine that does not name us, or a whole process."""

from __future__ import annotations

import asyncio
import importlib.machinery
import json
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import create_engine, exc, text
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import QueuePool
from twisted.trial.unittest import SynchronousTestCase

import connmon
from connmon.client import engines, process
from connmon.client.options import Source
from connmon.model.records import IDLE
from tests.client.test_plugin import NOWHERE, EnginesTestCase, watched

attach: Any = connmon.attach


class EngineTests(EnginesTestCase):
    """``connmon.attach(engine, ...)``."""

    def engine(self) -> Engine:
        """An engine that knows nothing of us, with a pool of its own."""
        engine = create_engine("sqlite://", poolclass=QueuePool)
        self.addCleanup(engine.dispose)
        return engine

    def destination(self, engine: Engine) -> Any:
        """Where an engine reports to."""
        return engines._WATCHED[engine].destination

    def test_options(self) -> None:
        """They are arguments; the environment has the rest."""
        os.environ["CONNMON_SERVICE"] = "billing"
        os.environ["CONNMON_PROGRAM"] = "not this"
        engine = self.engine()
        self.assertIsNone(attach(engine, addr="10.1.1.1:1", program="shop"))
        self.assertTrue(watched(engine))
        found = self.destination(engine)
        self.assertEqual("billing", found.service)
        self.assertEqual("10.1.1.1:1", str(found.addresses[0]))
        self.assertEqual("shop", found.program)

    def test_a_configuration(self) -> None:
        """By any kind of path."""
        path = self.file("[connmon_service_x]\nname: one\nnodes:\n  n hostname=h\n")
        engine = self.engine()
        attach(engine, config=Path(path), service="one")
        self.assertEqual("h:5800", str(self.destination(engine).addresses[0]))

    def test_an_engine_in_use(self) -> None:
        """Connections made before are taken up when they are next checked out."""
        engine = self.engine()
        held, other = engine.connect(), engine.connect()
        other.close()
        attach(engine, addr=NOWHERE, program="in-use")
        ledger = self.ledger("in-use")
        self.assertEqual((0, 0), self.open_and_out(ledger))
        held.close()
        self.assertEqual((0, 0), self.open_and_out(ledger))
        with engine.connect():
            self.assertEqual((1, 1), self.open_and_out(ledger))
            with engine.connect():
                self.assertEqual((2, 2), self.open_and_out(ledger))
        self.assertEqual((2, 0), self.open_and_out(ledger))
        engine.dispose()
        self.assertEqual((0, 0), self.open_and_out(ledger))

    def ledger(self, program: str) -> Any:
        """What engines of this program are entered in."""
        from connmon.client.agent import HERE

        (found,) = (a for a in HERE.agents if a.destination.program == program)
        return found.ledger

    def open_and_out(self, ledger: Any) -> tuple[int, int]:
        """How many connections are open, and how many of them in use."""
        found = ledger.whole(0, 0.0, 0.0).connections
        return len(found), sum(each.state != IDLE for each in found)

    def test_twice(self) -> None:
        """What held first holds."""
        engine = self.engine()
        attach(engine, addr=NOWHERE, program="first")
        before = len(engine.pool.dispatch.close)
        attach(engine, addr=NOWHERE, program="second")
        self.assertEqual(before, len(engine.pool.dispatch.close))
        self.assertEqual("first", self.destination(engine).program)

    def test_an_engine_that_names_us(self) -> None:
        """It is watched already."""
        url = f"sqlite+connmon://?connmon_addr={NOWHERE}&connmon_program=url"
        engine = create_engine(url)
        attach(engine, program="argument")
        self.assertEqual("url", self.destination(engine).program)

    def test_from_several_threads(self) -> None:
        """One of them watches it."""
        engine = self.engine()
        threads = [
            threading.Thread(target=attach, args=(engine,), kwargs={"addr": NOWHERE})
            for _ in range(8)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        self.assertEqual(1, len(engine.pool.dispatch.close))

    def test_an_asynchronous_engine(self) -> None:
        """Its pool is that of the engine within."""
        engine = create_async_engine("sqlite+aiosqlite://")
        attach(engine, addr=NOWHERE)
        self.assertTrue(watched(engine.sync_engine))

        async def use() -> Any:
            async with engine.connect() as connection:
                found = await connection.scalar(text("select 1"))
            await engine.dispose()
            return found

        self.assertEqual(1, asyncio.run(use()))

    def test_an_engine_of_execution_options(self) -> None:
        """It may be gone at once: the engine whose pool it uses is meant."""
        engine = self.engine()
        copied = engine.execution_options(isolation_level="AUTOCOMMIT")
        attach(copied.execution_options(stream_results=True), addr=NOWHERE)
        self.assertIn(engine, engines._WATCHED)
        attach(engine, addr=NOWHERE)
        self.assertEqual(1, len(engine.pool.dispatch.close))

    def test_no_engine(self) -> None:
        """What was expected is named, and what was given."""
        for given, name in (
            (sessionmaker(), "sessionmaker"),
            ("sqlite://", "str"),
            (None, "NoneType"),
        ):
            with self.assertRaises(TypeError) as caught:
                attach(given)
            said = str(caught.exception)
            self.assertIn("expected an Engine or an AsyncEngine", said)
            self.assertIn(name, said)
        with self.assertRaises(TypeError):
            attach(self.engine(), colour="red")

    def test_a_mistake_in_an_option(self) -> None:
        """Option, value and expectation; the engine is left alone."""
        engine = self.engine()
        for name, value in (
            ("addr", "host:abc"),
            ("addr", 5800),
            ("service", ""),
            ("config", "/nowhere/connmon.cfg"),
            ("transactions", "maybe"),
        ):
            arguments: dict[str, Any] = {name: value}
            with self.assertRaises(exc.ArgumentError) as caught:
                attach(engine, **arguments)
            said = str(caught.exception)
            self.assertTrue(said.startswith(f"connmon.attach: {name}="), said)
            self.assertIn("expected", said)
        self.assertFalse(watched(engine))

    def test_disabled(self) -> None:
        """Nothing is done, and nothing is wrong."""
        os.environ["CONNMON_DISABLE"] = "1"
        engine = self.engine()
        attach(engine, addr="host:abc")
        self.assertFalse(watched(engine))

    def test_a_fault_of_the_environment(self) -> None:
        """One warning."""
        os.environ["CONNMON_CONFIG"] = "/nowhere"
        with self.assertLogs("connmon", "WARNING") as logs:
            for _ in range(3):
                attach(self.engine())
        self.assertEqual(1, len(logs.output))


class NameTests(SynchronousTestCase):
    """``connmon.attach`` is a module, and a function, and neither costs anything."""

    def python(self, script: str) -> None:
        """Run a script in a fresh process, where nothing of ours is imported."""
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))

    def test_importing_connmon_imports_nothing(self) -> None:
        """Not even when its functions are looked up."""
        self.python(
            # Some Pythons need threading for what connmon needs of importlib.
            "import importlib.util, sys\n"
            "already = set(sys.modules)\n"
            "import connmon\n"
            "assert [n for n in sys.modules if 'connmon' in n] == ['connmon']\n"
            "assert callable(connmon.attach) and callable(connmon.status)\n"
            "names = ('sqlalchemy', 'twisted', 'crochet', 'threading', 'logging')\n"
            "assert not set(names) & (set(sys.modules) - already)\n"
        )

    def test_every_way_to_import_it(self) -> None:
        """In whatever order."""
        use = "attach(create_engine('sqlite://'), addr='127.0.0.1:1')\n"
        for ways in (
            "import connmon\nattach = connmon.attach\n",
            "import connmon.attach\nattach = connmon.attach\n",
            "from connmon import attach\n",
            "import connmon.attach as attach\n",
            "import connmon.client\nfrom connmon import attach\n",
            "import connmon, connmon.attach\nattach = connmon.attach\n",
            "from connmon import attach\nfrom connmon.attach import main\n",
        ):
            self.python("from sqlalchemy import create_engine\n" + ways + use)

    def test_other_names(self) -> None:
        """There are none."""
        with self.assertRaises(AttributeError):
            connmon.nothing_of_this_name  # noqa: B018


#: What a program leaves open is its own affair, and told on some Pythons.
STRICT = ("-W", "error", "-W", "ignore::ResourceWarning")

#: Says where its engines report to, once for each.
PROGRAM = """
import json, sys
at_start = [name for name in sys.modules if name.partition(".")[0] in
            ("sqlalchemy", "twisted", "crochet", "logging", "socket", "select")]
from sqlalchemy import create_engine, text, exc
from sqlalchemy.engine import interfaces, make_url
from connmon.client import engines
def where(engine):
    with engine.connect() as connection:
        connection.execute(text("select 1"))
    found = engines._WATCHED.get(engine)
    if found is None:
        return None
    to = found.destination
    return [to.service, str(to.addresses[0]), to.program, found.asked.transactions,
            len(engine.pool.dispatch.close)]
said = {"at_start": at_start,
        "loader": sorted(vars(interfaces.__loader__)),
        "meta_path": [type(each).__module__ for each in sys.meta_path
                      if "connmon" in type(each).__module__]}
try:
    create_engine("sqlite://", no_such_argument=1)
except TypeError:
    pass
said["plain"] = where(create_engine("sqlite://", echo=False, logging_name="x"))
said["driver"] = where(create_engine("sqlite+connmon://?connmon_addr=url:1"))
said["plugin"] = where(create_engine("sqlite://?connmon_addr=url:2",
    plugins=["connmon"], connmon_program="argument"))
said["both"] = where(create_engine("sqlite+connmon://?plugin=connmon"))
try:
    create_engine("sqlite+connmon://?connmon_addr=host:abc")
except exc.ArgumentError as error:
    said["mistake"] = str(error)
try:
    create_engine("nothing+known://?plugin=connmon&connmon_addr=url:3")
except exc.NoSuchModuleError:
    pass
said["after"] = where(create_engine("sqlite://"))
url = make_url("sqlite://")
try:
    create_engine(url, plugins=["connmon"], no_such_argument=1)
except TypeError:
    pass
said["again"] = where(create_engine(url))
print(json.dumps(said))
"""


class ProcessTests(EnginesTestCase):
    """``python -m connmon.attach``."""

    def ran(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run it."""
        return subprocess.run(
            [sys.executable, *STRICT, "-m", "connmon.attach", *words],
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def said(self, *words: str, **environ: str) -> dict[str, Any]:
        """What the program says when it is run so."""
        path = self.mktemp() + ".py"
        Path(path).write_text(PROGRAM)
        done = self.ran(*words, "--", path, **environ)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def test_every_engine(self) -> None:
        """Each once; what its own URL says goes first."""
        asked = ("--addr", NOWHERE, "--program=cli", "--transactions=all")
        said = self.said(*asked, CONNMON_SERVICE="env", CONNMON_PROGRAM="not this")
        plain = ["env", NOWHERE, "cli", "all", 1]
        self.assertEqual(plain, said["plain"])
        self.assertEqual(["env", "url:1", "cli", "all", 1], said["driver"])
        self.assertEqual(["env", "url:2", "argument", "all", 1], said["plugin"])
        self.assertEqual(plain, said["both"])
        self.assertEqual(plain, said["after"])
        self.assertEqual(plain, said["again"])
        self.assertIn("connmon_addr=host:abc", said["mistake"])

    def test_no_trace(self) -> None:
        """Nothing is imported that may be patched later, and no hook is left."""
        said = self.said("--addr", NOWHERE)
        self.assertEqual([], said["at_start"])
        self.assertEqual(["name", "path"], said["loader"])
        # That of multiprocessing may still be needed.
        self.assertLessEqual(len(said["meta_path"]), 1)

    def test_disabled(self) -> None:
        """The program runs as ever."""
        said = self.said("--addr", "host:abc", CONNMON_DISABLE="1")
        self.assertEqual(
            [None] * 5,
            [said[each] for each in ("plain", "driver", "plugin", "both", "after")],
        )
        self.assertEqual([], said["meta_path"])

    def test_a_fault_elsewhere(self) -> None:
        """Of the environment, say: the program runs, and its log has one line."""
        path = self.mktemp() + ".py"
        Path(path).write_text(
            "import logging, sys\n"
            "logging.basicConfig(stream=sys.stdout)\n"
            "from sqlalchemy import create_engine\n"
            "for _ in range(3):\n"
            "    create_engine('sqlite://').connect().close()\n"
        )
        done = self.ran("--", path, CONNMON_CONFIG="/nowhere")
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertEqual(1, done.stdout.count("\n"), done.stdout)
        self.assertIn("CONNMON_CONFIG=/nowhere", done.stdout)

    def test_a_file_that_is_gone_later(self) -> None:
        """The program did not name it: a line in its log, not an error of its own."""
        file = self.file("[connmon_service_x]\nname: default\nnodes:\n n hostname=h\n")
        path = self.mktemp() + ".py"
        Path(path).write_text(
            "import logging, os, sys\n"
            "logging.basicConfig(stream=sys.stdout)\n"
            "os.chdir('/')\n"
            "from sqlalchemy import create_engine\n"
            "create_engine('sqlite+connmon://').connect().close()\n"
            f"os.remove({os.path.abspath(file)!r})\n"
            "for url in 2 * ('sqlite://', 'sqlite+connmon://'):\n"
            "    create_engine(url).connect().close()\n"
        )
        done = self.ran("--config", file, "--", path)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertEqual(1, done.stdout.count("\n"), done.stdout)
        self.assertIn("--config=", done.stdout)

    def test_mistakes(self) -> None:
        """In the command line: one line, status 2, and the program is not run."""
        program = ["--", "-m", "this"]
        for words, said in (
            ([], "expected -- before the program"),
            (["--addr", "x"], "expected -- before the program"),
            (["--addr", "host:abc", *program], "--addr=host:abc: bad port"),
            (["--addr=", *program], "--addr='': expected it once"),
            (["--addr", *program], "--addr='': expected it once"),
            (["--addr=a", "--addr=b", *program], "--addr: expected it once"),
            (["--config", "/no/where", *program], "--config=/no/where: cannot read"),
            (["--transactions=x", *program], "--transactions=x: expected on, all"),
            (["--colour", *program], "'--colour' before --, expected one of: --addr"),
            (["show.py"], "'show.py' before --, expected one of: --addr"),
        ):
            done = self.ran(*words)
            self.assertEqual((2, ""), (done.returncode, done.stdout), words)
            self.assertEqual(1, done.stderr.count("\n"), done.stderr)
            self.assertTrue(done.stderr.startswith("connmon.attach: "), done.stderr)
            self.assertIn(said, done.stderr)

    def test_help(self) -> None:
        """It fits a terminal."""
        done = self.ran("--help")
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertLessEqual(max(map(len, done.stdout.splitlines())), 88)
        self.assertIn("--transactions", done.stdout)

    def test_children_of_multiprocessing(self) -> None:
        """Their engines are watched too, under the program's name, however started."""
        path = self.mktemp() + ".py"
        Path(path).write_text(
            "import json, multiprocessing\n"
            "from sqlalchemy import create_engine\n"
            "def work(number):\n"
            "    import connmon\n"
            "    engine = create_engine('sqlite://')\n"
            "    (found,) = connmon.status()['destinations']\n"
            "    return found['program'], found['addresses'], found['engines']\n"
            "if __name__ == '__main__':\n"
            "    said = []\n"
            "    for method in ('fork', 'spawn', 'forkserver'):\n"
            "        with multiprocessing.get_context(method).Pool(1) as pool:\n"
            "            said += pool.map(work, [0])\n"
            "    print(json.dumps(said))\n"
        )
        done = self.ran("--addr", NOWHERE, "--", path)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        expected = [Path(path).name, [NOWHERE], 1]
        self.assertEqual([expected] * 3, json.loads(done.stdout))

    def test_a_child_that_cannot_import_us(self) -> None:
        """What it is told is made of builtins, and lets it begin all the same."""
        told = pickle.dumps(process._Beginning(Source({"addr": NOWHERE})))
        script = (
            "import pickle, sys\n"
            "sys.modules['connmon'] = None\n"
            f"assert pickle.loads({told!r}) is None\n"
        )
        done = subprocess.run([sys.executable, "-c", script], check=False)
        self.assertEqual(0, done.returncode)


class FinderTests(SynchronousTestCase):
    """How we hear of a module that is imported later."""

    def setUp(self) -> None:
        """A directory that modules are found in."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.patch(sys, "path", [str(self.directory), *sys.path])
        self.patch(sys, "meta_path", list(sys.meta_path))
        self.addCleanup(importlib.machinery.PathFinder.invalidate_caches)
        self.heard: list[str] = []

    def listen(self, name: str) -> None:
        """Have the module's import noted."""
        self.addCleanup(sys.modules.pop, name, None)
        process._when_imported(name, lambda module: self.heard.append(module.__name__))

    def test_a_module(self) -> None:
        """It is heard of once, complete, and nothing of us is left."""
        (self.directory / "later_one.py").write_text("x = 1\n")
        before = len(sys.meta_path)
        self.listen("later_one")
        module = importlib.import_module("later_one")
        self.assertEqual(["later_one"], self.heard)
        self.assertEqual(before, len(sys.meta_path))
        loader = module.__loader__
        self.assertIs(importlib.machinery.SourceFileLoader, type(loader))
        self.assertNotIn("exec_module", vars(loader))

    def test_a_module_that_is_there(self) -> None:
        """It is heard of at once."""
        self.patch(sys, "modules", {**sys.modules, "there": ModuleType("there")})
        self.listen("there")
        self.assertEqual(["there"], self.heard)

    def test_a_module_that_fails(self) -> None:
        """It fails as ever; should it work the next time, it is heard of then."""
        path = self.directory / "later_two.py"
        path.write_text("raise ZeroDivisionError\n")
        self.listen("later_two")
        with self.assertRaises(ZeroDivisionError):
            importlib.import_module("later_two")
        self.assertEqual([], self.heard)
        path.write_text("x = 'of quite another length'\n")
        importlib.invalidate_caches()
        importlib.import_module("later_two")
        self.assertEqual(["later_two"], self.heard)

    def test_no_such_module(self) -> None:
        """It is missing as ever."""
        self.listen("later_three")
        with self.assertRaises(ModuleNotFoundError):
            importlib.import_module("later_three")
