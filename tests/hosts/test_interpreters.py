"""Sub-interpreters, as mod_wsgi gives one to each application.

A thread that is alive when such an interpreter is ended aborts the whole process: "not
the last thread". The database is a server, as SQLite's module has trouble of its own
with them; and one is made in each process, as SQLAlchemy allows no more.
"""

from __future__ import annotations

import shutil
import signal
import statistics
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from tests.hosts.needed import lacking
from tests.hosts.programs import HEAD, HostTestCase
from tests.hosts.test_odd_hosts import LOGGED
from tests.whole import servers
from tests.whole.servers import free_port

CLEARING = 0.25
"""Seconds for what the interpreter has more to clear away, on a busy machine."""

#: What mod_wsgi does, for the caller's interpreter to call: the seconds the end took.
EMBEDDING = """
#include <time.h>
extern void *PyThreadState_Get(void);
extern void *Py_NewInterpreter(void);
extern void *PyThreadState_Swap(void *);
extern void Py_EndInterpreter(void *);
extern int PyRun_SimpleStringFlags(const char *, void *);

double live(const char *code)
{
    struct timespec began, ended;
    void *mine = PyThreadState_Get();
    void *its = Py_NewInterpreter();
    int failed = PyRun_SimpleStringFlags(code, 0);

    clock_gettime(CLOCK_MONOTONIC, &began);
    Py_EndInterpreter(its);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    PyThreadState_Swap(mine);
    return failed ? -1.0 : (ended.tv_sec - began.tv_sec)
        + (ended.tv_nsec - began.tv_nsec) / 1e9;
}
"""

LIVES = """
import ctypes, json, os
embedding = ctypes.PyDLL({library!r})
embedding.live.restype = ctypes.c_double
seconds = embedding.live({code!r}.encode())
with open(os.path.join(os.environ["HOST_DIRECTORY"], "told"), "a") as notebook:
    told = {{"what": "seconds", "pid": os.getpid(), "value": seconds}}
    notebook.write(json.dumps(told) + "\\n")
"""

#: An interpreter that may have no threads, by the means of each Python.
ISOLATED = """
import sys
if sys.version_info < (3, 12):
    import _xxsubinterpreters as interpreters
    made = interpreters.create(isolated=True)
    interpreters.run_string(made, {code!r})
else:
    import _interpreters as interpreters
    made = interpreters.create(
        interpreters.new_config(
            "legacy", allow_threads=False, allow_daemon_threads=False
        )
    )
    failed = interpreters.exec(made, {code!r})
    assert failed is None, failed
interpreters.destroy(made)
"""


class InterpreterTests(HostTestCase):
    """One interpreter beside the main one, from its beginning to its end."""

    def setUp(self) -> None:
        """A server, and the means to make interpreters."""
        super().setUp()
        compiler = shutil.which("cc")
        if compiler is None:
            lacking("no C compiler, to end an interpreter as mod_wsgi does")
            raise AssertionError
        self.database = servers.mariadb().url("pymysql")
        source = self.directory / "embedding.c"
        source.write_text(EMBEDDING)
        self.library = self.directory / "embedding.so"
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-o", self.library, source], check=True
        )

    def program(self, script: str, url: str, **options: Any) -> Any:
        """A program whose sub-interpreter runs a script."""
        code = "import sys\nsys.argv = ['app']\n" + HEAD + textwrap.dedent(script)
        lives = LIVES.format(library=str(self.library), code=code)
        return self.start(lives, url, head="", **options)

    def ending(self, url: str, **options: Any) -> float:
        """The median time that the end of an interpreter takes, in seconds."""
        seconds = []
        for _ in range(3):
            program = self.program(
                "engine = make(); held = hold(engine, 2); time.sleep(0.2)",
                url,
                **options,
            )
            self.ends_well(program)
            seconds.append(program.value("seconds"))
        self.assertNotIn(-1.0, seconds)
        return float(statistics.median(seconds))

    def delayed(self, bound: float, address: str) -> None:
        """The end is not delayed by more than this; measured again if it seems so."""
        delay = bound
        for _ in range(3):
            bare = self.ending(self.database)
            delay = self.ending(self.watched(address, self.database)) - bare
            if delay < bound:
                return
        self.fail(f"delayed by {delay} seconds")

    def test_reports_and_ends(self) -> None:
        """It reports until it is ended; its process lives on."""
        self.start_node()
        program = self.program(
            """
            before = state()
            engine = make()
            held = hold(engine, 3)
            tell("held")
            gate("more")
            held += hold(engine, 1)
            gate("end")
            tell("changed", changed(before))
            """,
            self.watched(database=self.database),
        )
        program.told("held")
        self.shows(nproc=1, conn=3, ckout=3)
        program.open("more")
        self.shows(nproc=1, conn=4, ckout=4)
        program.open("end")
        self.assertEqual({}, program.value("changed"))
        self.ends_well(program)
        self.assertGreaterEqual(program.value("seconds"), 0)
        self.shows(nproc=0, conn=0)
        self.linked({program.pid: ["joined", "left"]})

    def test_node_up(self) -> None:
        """The end, linked."""
        self.start_node()
        self.delayed(CLEARING, self.node.address)

    def test_node_down(self) -> None:
        """The end, with nobody listening."""
        self.delayed(CLEARING, f"127.0.0.1:{free_port()}")

    def test_node_stopped(self) -> None:
        """The end, with a node that never answers."""
        self.start_node()
        self.node.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.node.process.send_signal, signal.SIGCONT)
        self.delayed(0.5, self.node.address)

    def test_name_server_silent(self) -> None:
        """The end waits for the resolver: better late than aborted."""
        behind = self.behind_silence()
        with Path(behind[-1]).open("a") as resolver:
            resolver.write("options timeout:1 attempts:1\n")
        url = self.watched("node.example:30000", self.database)
        self.assertLess(self.ending(url, by=behind), 5.0)

    def test_no_threads_allowed(self) -> None:
        """One line in the log, and the database works."""
        if sys.version_info[:2] == (3, 12):
            lacking("Python 3.12 makes no such interpreter that imports SQLAlchemy")
        script = """
        engine = make()
        before = state()
        use(engine, 20)
        held = hold(engine, 3)
        tell("logged", Logged.lines)
        tell("changed", changed(before))
        """
        code = f"import sys\nsys.argv = ['app']\n{HEAD}{LOGGED}"
        code += textwrap.dedent(script)
        url = self.watched(f"127.0.0.1:{free_port()}", self.database)
        program = self.start(ISOLATED.format(code=code), url, head="")
        self.ends_well(program)
        (line,) = program.value("logged")
        self.assertRegex(line, "WARNING connmon cannot report from this process: .*")
        self.assertIn("thread", line)
        self.assertEqual({}, program.value("changed"))
