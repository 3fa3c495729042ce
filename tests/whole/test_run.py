"""``connmon run``, of real programs: what it finds, and what it leaves alone."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.whole.fleet import BIN, WITHIN, Running
from tests.whole.servers import eventually
from tests.whole.window import Window

CONNMON = BIN / "connmon"
SAYS = "connmon run: "
LEAK = "never returned: shop.py:7 take (MainThread), out TIME at exit, pid PID leak.py"

#: What runs the tests may have been told to ignore ^C.
HEEDING = "import os, signal, sys\nsignal.signal(signal.SIGINT, signal.SIG_DFL)\n"
EXEC = "os.execvp(sys.argv[1], sys.argv[1:])\n"

FILES = {
    "shop.py": """
        from sqlalchemy import create_engine, text

        engine = create_engine("sqlite:///shop.db")


        def take():
            return engine.connect()


        def use():
            with engine.connect() as connection:
                return connection.scalar(text("select 1"))
    """,
    "leak.py": "import shop\nheld = shop.take()\n",
    "clean.py": "import shop\nprint(shop.use())\nshop.engine.dispose()\n",
    "fails.py": "import shop, sys\nshop.use()\nsys.exit(7)\n",
    "ends.py": """
        import os, sys, time
        import connmon, shop

        def acknowledged():
            return connmon.status()["destinations"][0]["reports_acknowledged"]

        def be_heard(reports):
            while acknowledged() < reports:
                time.sleep(0.01)

        held = shop.take()
        if sys.argv[1] == "returned":
            be_heard(1)
            held.close()
        if sys.argv[1] == "killed":
            be_heard(1)
            # The first may have been on its way before the connection was taken.
            reports = acknowledged()
            shop.use()
            be_heard(reports + 1)
            os.kill(os.getpid(), 9)
        os._exit(0)
    """,
    "late.py": """
        import atexit

        def give_back():
            held.close()

        atexit.register(give_back)
        import shop

        held = shop.take()
    """,
    "children.py": """
        import multiprocessing, os
        import shop

        def work():
            global held
            held = shop.take()

        if __name__ == "__main__":
            shop.use()
            for method in ("fork", "spawn", "forkserver"):
                child = multiprocessing.get_context(method).Process(target=work)
                child.start()
                child.join()
            if os.fork() == 0:
                work()
                os._exit(0)
            os.wait()
    """,
    "named.py": """
        import os, sys
        from sqlalchemy import create_engine

        engine = create_engine(sys.argv[1])
        held = engine.connect()
    """,
    "heeds.py": """
        import signal, sys, time
        import connmon, shop

        def heed(number, frame):
            global over
            held.close()
            print("heard", signal.Signals(number).name, flush=True)
            over = True

        over = False
        held = shop.take()
        for name in sys.argv[1:]:
            signal.signal(getattr(signal, name), heed)
        while not connmon.status()["destinations"][0]["reports_acknowledged"]:
            time.sleep(0.01)
        print("ready", flush=True)
        while not over:
            time.sleep(0.01)
        sys.exit(5)
    """,
    "limited.py": """
        import asyncio
        from sqlalchemy import text
        from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
        import connmon

        def leaks():
            (destination,) = connmon.status()["destinations"]
            pools = destination["pools"]
            return [each["leak"] for pool in pools for each in pool["connections"]]

        async def work(session):
            await session.execute(text("select 1"))

        async def main():
            engine = create_async_engine("sqlite+aiosqlite:///shop.db")
            async with AsyncSession(engine) as session:
                # A task before Python 3.12, of nothing but SQLAlchemy's.
                await asyncio.wait_for(session.execute(text("select 1")), 5)
            async with AsyncSession(engine) as session:
                # Its line is the application's, so it is taken for a leak at first.
                await asyncio.create_task(work(session))
                while not any(leaks()):
                    await asyncio.sleep(0.05)
            await engine.dispose()

        asyncio.run(main())
    """,
    "asynchronous.py": """
        import asyncio
        from sqlalchemy.ext.asyncio import create_async_engine

        engine = create_async_engine("sqlite+aiosqlite:///shop.db")

        async def hold():
            global held
            held = engine.connect()
            await held.start()

        loop = asyncio.new_event_loop()
        loop.run_until_complete(hold())
        # Its thread would not end otherwise; what SQLAlchemy has out stays so.
        connection = held.sync_connection.connection.driver_connection
        loop.run_until_complete(connection.close())
    """,
}


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> list[str]:
        """What ``connmon run`` had to say, with pids and times as in any other run."""
        lines = [each for each in self.err.splitlines() if each.startswith(SAYS)]
        return [_typical(each.removeprefix(SAYS)) for each in lines]


def _typical(line: str) -> str:
    line = re.sub(r"(pids?) \d+(, \d+)*", r"\1 PID", line)
    return re.sub(r"out [\w.<]+( to [\w.<]+)?(?=,| at| when)", "out TIME", line)


def environ(temporary: Path) -> dict[str, str]:
    """What every command is given."""
    return {
        **os.environ,
        "TMPDIR": str(temporary),
        "PYTHONPATH": "",
        # Programs that leak leave files open, which some Pythons tell.
        "PYTHONWARNINGS": "error,ignore::ResourceWarning",
        "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
    }


class RunTestCase(SynchronousTestCase):
    """Commands in a directory of their own, whose temporary files are to be seen."""

    def setUp(self) -> None:
        """Write the programs."""
        self.directory = Path(self.mktemp()).absolute()
        # Not below it: the path of a socket has to be short.
        self.temporary = Path(tempfile.mkdtemp())
        self.addCleanup(self.left_nothing)
        self.write(FILES)
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)

    def left_nothing(self) -> None:
        """Whatever happened, no file is left."""
        left = os.listdir(self.temporary)
        shutil.rmtree(self.temporary)
        self.assertEqual([], left)

    def write(self, files: Mapping[str, str]) -> None:
        """Write files into the directory."""
        for name, text in files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip())

    def ran(
        self,
        *words: str,
        options: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
        given: str = "",
    ) -> Done:
        """Run a command to its end."""
        done = subprocess.run(
            [str(CONNMON), "run", *options, "--", *words],
            cwd=self.directory,
            env={**environ(self.temporary), **(env or {})},
            input=given,
            capture_output=True,
            text=True,
            timeout=3 * WITHIN,
            check=False,
            # Without a terminal, wherever the tests have one.
            start_new_session=True,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def running(self, *words: str) -> Running:
        """A command that goes on, without a terminal."""
        alone = [sys.executable, "-c", f"{HEEDING}os.setsid()\n{EXEC}"]
        command = [*alone, str(CONNMON), "run", "--", *words]
        return self.stack.enter_context(
            Running(command, environ(self.temporary), self.directory)
        )


class FindingTests(RunTestCase):
    """What is found in which kind of program."""

    def test_a_short_program_that_leaks(self) -> None:
        """It is over as soon as it began; the line of code is told."""
        done = self.ran("python", "leak.py")
        self.assertEqual(
            [
                "1 process, 1 checkout, 1 leak",
                LEAK,
            ],
            done.said,
        )
        self.assertEqual((1, ""), (done.status, done.out))

    def test_a_program_that_returns_everything(self) -> None:
        """Its output is its own, and one line is said of it."""
        done = self.ran("python", "clean.py", env={"PYTHONWARNINGS": "error"})
        self.assertEqual(
            (0, "1\n", f"{SAYS}1 process, 1 checkout, no leak\n"),
            (done.status, done.out, done.err),
        )

    def test_every_time(self) -> None:
        """However short: of ten programs, none is missed."""
        script = "for each in 1 2 3 4 5 6 7 8 9 10; do python leak.py & done; wait"
        done = self.ran("sh", "-c", script)
        self.assertEqual("10 processes, 10 checkouts, 10 leaks", done.said[0])
        self.assertIn("10 times", done.said[1])

    def test_a_shell_script(self) -> None:
        """Each Python in it is watched, and standard input is theirs."""
        self.write({"all.sh": "python leak.py\npython clean.py\ncat\n"})
        done = self.ran("sh", "all.sh", given="hello\n")
        self.assertEqual((1, "1\nhello\n"), (done.status, done.out))
        self.assertEqual("2 processes, 2 checkouts, 1 leak", done.said[0])
        self.assertIn("pid PID leak.py", done.said[1])

    def test_children(self) -> None:
        """However they are started, and though they end by ``os._exit``."""
        done = self.ran("python", "children.py")
        self.assertEqual("5 processes, 5 checkouts, 4 leaks", done.said[0])
        self.assertIn("never returned: shop.py:7 take (MainThread), 4 times", done.err)
        self.assertEqual(2, len(done.said), done.err)
        self.assertNotIn("last word", done.err)

    def test_an_end_without_exit_functions(self) -> None:
        """What was returned just before is told, and what was not, too."""
        done = self.ran("python", "ends.py", "returned")
        self.assertEqual((0, 1), (done.status, len(done.said)), done.err)
        done = self.ran("python", "ends.py", "exits")
        self.assertEqual((1, 2), (done.status, len(done.said)), done.err)
        self.assertIn("at exit", done.said[1])

    def test_an_exit_function(self) -> None:
        """What it returns is returned, though it was there before SQLAlchemy."""
        done = self.ran("python", "late.py")
        self.assertEqual((0, 1), (done.status, len(done.said)), done.err)

    def test_a_program_that_is_killed(self) -> None:
        """What it had when it was last heard, and that it was not heard again."""
        done = self.ran("sh", "-c", "python ends.py killed; exit 0")
        self.assertEqual(1, done.status)
        self.assertIn("never returned: shop.py:7 take (MainThread)", done.said[1])
        self.assertIn("when the process ended without a last word", done.said[1])

    def test_asyncio(self) -> None:
        """The line is the coroutine's, and who has it is its task."""
        done = self.ran("python", "asynchronous.py")
        self.assertEqual(1, done.status, done.err)
        self.assertIn("never returned: asynchronous.py:9 hold (Task-1), ", done.said[1])

    def test_a_time_limit(self) -> None:
        """What its task took, its session returns: no leak, however late."""
        done = self.ran("python", "limited.py")
        self.assertEqual((0, 1), (done.status, len(done.said)), done.err)

    def test_engines_that_report_to_others(self) -> None:
        """They report here instead, whatever their URLs and the environment say."""
        others = self.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        others.settimeout(0)
        address = f"127.0.0.1:{others.getsockname()[1]}"
        env = {
            "CONNMON_ADDR": address,
            "CONNMON_SERVICE": "other",
            "CONNMON_DISABLE": "1",
        }
        for words in (
            [f"sqlite+connmon:///shop.db?connmon_addr={address}&connmon_service=x"],
            [f"sqlite:///shop.db?plugin=connmon&connmon_addr={address}"],
        ):
            for flags in ([], ["-I"]):
                done = self.ran("python", *flags, "named.py", *words, env=env)
                self.assertEqual((1, 2), (done.status, len(done.said)), done.err)
                self.assertIn("named.py:5 <module>", done.said[1])
        with self.assertRaises(BlockingIOError):
            others.accept()

    def test_as_json(self) -> None:
        """In a file, with each connection on its own."""
        done = self.ran("python", "leak.py", options=("--json", "found.json"))
        self.assertEqual(1, done.status)
        told = json.loads((self.directory / "found.json").read_text())
        (found,) = told["findings"]
        expected = {
            "kind": "unreturned",
            "site": "shop.py:7",
            "function": "take",
            "owner": "MainThread",
            "program": "leak.py",
            "last_word": True,
        }
        self.assertEqual(expected, {name: found[name] for name in expected})
        self.assertEqual((0, 1), (told["status"], told["processes"]))

    def test_a_full_disk(self) -> None:
        """It is one line, and no success."""
        done = self.ran("python", "clean.py", options=("--json", "/dev/full"))
        self.assertEqual(1, done.status)
        self.assertEqual("cannot write: No space left on device", done.said[-1])

    def test_no_room_for_a_socket(self) -> None:
        """Where its path would be too long, a port of this host is used."""
        place = self.temporary / ("long" * 30)
        place.mkdir()
        done = self.ran("python", "leak.py", env={"TMPDIR": str(place)})
        self.assertEqual((1, 2), (done.status, len(done.said)), done.err)
        place.rmdir()


class NothingTests(RunTestCase):
    """Where there is nothing to be found."""

    def test_no_engine(self) -> None:
        """It is said that nobody reported, so that it is not taken for a success."""
        for words in (["true"], ["python", "-c", "pass"], ["python", "-S", "-c", ""]):
            done = self.ran(*words)
            self.assertEqual((0, ""), (done.status, done.out))
            (said,) = done.said
            self.assertTrue(said.startswith("no process reported: "), said)

    def test_what_is_not_reached(self) -> None:
        """A Python that is told to see no environment is one of them."""
        done = self.ran("python", "-E", "leak.py")
        self.assertEqual(0, done.status)
        self.assertIn("no process reported", done.said[0])

    def test_a_python_without_connmon(self) -> None:
        """It works as ever, with SQLAlchemy or without."""
        script = (
            "import sys\n"
            "sys.path[:] = [p for p in sys.path if 'site-packages' not in p]\n"
            "sys.modules['sqlalchemy.engine'] = None\n"
            "try:\n"
            "    import sqlalchemy\n"
            "except ImportError:\n"
            "    print('none')\n"
        )
        done = self.ran("python", "-c", script)
        self.assertEqual((0, "none\n"), (done.status, done.out), done.err)
        self.assertIn("no process reported", done.said[0])


class StatusTests(RunTestCase):
    """How it ends."""

    def test_the_command_s_own(self) -> None:
        """If it failed by itself, whether or not it leaked; of a signal, as a shell."""
        for words, status in (
            (["python", "fails.py"], 7),
            (["sh", "-c", "python leak.py; exit 9"], 9),
            (["sh", "-c", "kill -9 $$"], 137),
            (["sh", "-c", "kill -15 $$"], 143),
        ):
            self.assertEqual(status, self.ran(*words).status, words)

    def test_one_s_own(self) -> None:
        """Of leaks; 0 only reports."""
        for wanted in (0, 3):
            options = ("--status", str(wanted))
            done = self.ran("python", "leak.py", options=options)
            self.assertEqual((wanted, 2), (done.status, len(done.said)), done.err)
        done = self.ran("python", "fails.py", options=("--status", "3"))
        self.assertEqual(7, done.status)

    def test_what_cannot_be_run(self) -> None:
        """One line, and the status of a shell."""
        for name, status, reason in (
            ("no-such-command", 127, "No such file or directory"),
            ("./leak.py", 126, "Permission denied"),
        ):
            options, env = ("--json", "x.json"), {"PYTHONWARNINGS": "error"}
            done = self.ran(name, options=options, env=env)
            self.assertEqual(status, done.status)
            self.assertEqual(f"{SAYS}cannot run {name!r}: {reason}\n", done.err)

    def test_one_that_runs_on(self) -> None:
        """It is not waited for for long, nor judged, nor ended."""
        script = "python heeds.py SIGTERM >out 2>&1 & echo $!; "
        script += "until grep -q ready out; do sleep 0.1; done; python clean.py"
        done = self.ran("sh", "-c", script)
        pid = int(done.out.split()[0])
        self.addCleanup(os.kill, pid, signal.SIGTERM)
        self.assertEqual(0, done.status)
        self.assertEqual(
            [
                "2 processes, 2 checkouts, no leak",
                "not judged, for still running: pid PID heeds.py",
            ],
            done.said,
        )
        os.kill(pid, 0)


class SignalTests(RunTestCase):
    """What it is told, or its command."""

    def test_passed_on(self) -> None:
        """Without a terminal, all of them; the command decides what they mean."""
        for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"):
            run = self.running("python", "heeds.py", name)
            run.out.until(lambda line: line == "ready")
            os.kill(run.pid, getattr(signal, name))
            self.assertEqual(5, run.wait())
            self.assertEqual(f"heard {name}", run.out.rest()[-1])
            (said,) = [each for each in run.err.rest() if each.startswith(SAYS)]
            self.assertIn("no leak", said)

    def test_a_command_that_does_not_heed(self) -> None:
        """It is killed by it, and so it is told."""
        run = self.running("python", "heeds.py")
        run.out.until(lambda line: line == "ready")
        os.kill(run.pid, signal.SIGTERM)
        self.assertEqual(143, run.wait())
        self.assertIn("without a last word", run.err.rest()[-1])

    def test_interrupted_in_a_window(self) -> None:
        """^C is the command's, once; what it leaves is reported nevertheless."""
        script = f"cd {self.directory} && exec {CONNMON} run -- python heeds.py SIGINT"
        command = [sys.executable, "-c", HEEDING + EXEC, "sh", "-c", script]
        window = self.stack.enter_context(Window(command, environ(self.temporary)))
        window.says("ready")
        window.type(b"\x03")
        window.until(lambda: window.process.poll() is not None)
        window.says("no leak")
        self.assertEqual(5, window.process.wait())
        self.assertEqual(1, window.text.count("heard SIGINT"), window.text)

    def test_killed(self) -> None:
        """``kill -9`` of it is nothing to the command."""
        run = self.running("python", "heeds.py", "SIGTERM")
        run.out.until(lambda line: line == "ready")
        command = _child(run.pid)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        os.kill(command, signal.SIGTERM)
        run.out.until(lambda line: line == "heard SIGTERM")
        self.assertTrue(eventually(lambda: not _is_there(command), WITHIN))
        (left,) = self.temporary.iterdir()
        shutil.rmtree(left)


def _child(pid: int) -> int:
    """The only child of a process."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    (child,) = map(int, found)
    return child


def _is_there(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    return False
