"""Programs that pull the rug: streams, descriptors, users, roots, threads, limits.

Where we can work we do, and where we cannot there is one line in the log and an
untouched database.
"""

from __future__ import annotations

from tests.hosts.needed import lacking
from tests.hosts.programs import HostTestCase, as_root
from tests.whole import servers
from tests.whole.servers import free_port

#: What a program needs to collect what is logged on ``connmon``, and nothing else.
LOGGED = """
import logging

class Logged(logging.Handler):
    lines = []

    def emit(self, record):
        self.lines.append(f"{record.levelname} {record.getMessage()}")

logging.getLogger("connmon").addHandler(Logged())
"""

#: The one line.
REFUSED = (
    "WARNING connmon cannot report from this process: "
    "RuntimeError: can't start new thread"
)

NOBODY = 65534


class LongLivedTests(HostTestCase):
    """An interpreter that people type into, all day long."""

    def test_cells(self) -> None:
        """Engines are made, used, dropped and replaced; an error is only an error."""
        self.start_node()
        program = self.start(
            """
            import code, gc, io
            shell = code.InteractiveInterpreter({"make": make, "hold": hold})
            words = io.StringIO()
            shell.write = words.write
            before = state()

            def cell(text):
                more = shell.runsource(text, "<cell>", "exec")
                assert not more, text

            cell("engine = make()")
            cell("held = hold(engine, 3)")
            tell("held")
            gate("error")
            cell("engine.connect().exec_driver_sql('no such thing')")
            cell("1 / 0")
            tell("words", words.getvalue())
            gate("drop")
            cell("del engine, held")
            for number in range(100):
                cell("engine = make(); other = hold(engine, 2)")
            gc.collect()
            tell("dropped")
            gate("again")
            cell("held = hold(make(), 4)")
            gate("end")
            tell("changed", changed(before))
            """
        )
        program.told("held")
        self.shows(nproc=1, conn=3, ckout=3)
        program.open("error")
        words = program.value("words")
        self.assertIn("syntax error", words)
        self.assertIn("ZeroDivisionError", words)
        self.assertNotIn("connmon", words)
        program.open("drop")
        program.told("dropped")
        self.shows(nproc=1, conn=2, ckout=2)
        program.open("again")
        self.shows(nproc=1, conn=6, ckout=6)
        program.open("end")
        self.assertEqual({}, program.value("changed"))
        self.ends_well(program)
        self.linked({program.pid: ["joined", "left"]})


class StreamTests(HostTestCase):
    """Programs whose standard streams are not what they were."""

    def test_streams_that_must_not_be_written(self) -> None:
        """With a node, without, with one that goes: not a word on any stream."""
        self.start_node()
        program = self.start(
            """
            class Forbidden:
                written = []

                def write(self, text):
                    self.written.append(text)
                    raise AssertionError(text)

                def flush(self):
                    pass

            engine = make()
            held = hold(engine, 2)
            sys.stdout = sys.stderr = Forbidden()
            before = state()
            tell("replaced")
            gate("gone")
            held += hold(engine, 1)
            gate("none")
            sys.stdout = sys.stderr = sys.stdin = None
            before.update({"streams": state()["streams"]})
            held += hold(engine, 1)
            tell("written", Forbidden.written)
            tell("changed", changed(before))
            """
        )
        program.told("replaced")
        self.shows(nproc=1, conn=2)
        self.node.process.kill()
        program.open("gone", "none")
        self.assertEqual([], program.value("written"))
        self.assertEqual({}, program.value("changed"))
        self.ends_well(program)

    def test_streams_that_are_closed(self) -> None:
        """Descriptors 0, 1 and 2 were never there."""
        self.start_node()
        script = """
        engine = make()
        held = hold(engine, 2)
        tell("held", [os.path.exists(f"/proc/self/fd/{number}") for number in range(3)])
        gate("end")
        """
        program = self.start(
            script, by=["sh", "-c", 'exec "$@" <&- >&- 2>&-', "closed"]
        )
        program.told("held")
        self.shows(nproc=1, conn=2)
        program.open("end")
        self.ends_well(program)


class DescriptorTests(HostTestCase):
    """Programs that close what is not theirs, or may open no more."""

    def setUp(self) -> None:
        """A node, and a database that is elsewhere."""
        super().setUp()
        self.server = servers.mariadb()
        self.start_node()

    def database(self) -> str:
        """The server's database, watched."""
        return self.watched(database=self.server.url("pymysql"))

    def test_all_descriptors_closed(self) -> None:
        """The link comes back, and what now has its numbers is left alone."""
        program = self.start(
            """
            import socket
            engine = make()
            held = hold(engine, 3)
            gate("close")
            sys.excepthook = lambda *what: tell("failed", what)
            os.closerange(0, 1024)
            # All numbers that were in use are now another's; nobody touches these.
            pairs = [socket.socketpair() for _ in range(30)]
            numbers = [each.fileno() for pair in pairs for each in pair]
            files = [os.fstat(number) for number in numbers]
            for pair in pairs:
                pair[1].send(b"mine")
            engine.dispose(close=False)
            for each in held:
                # Its socket is another's now, and must not be closed.
                each.connection.dbapi_connection._sock.detach()
                each.connection.dbapi_connection._rfile = None
                each.connection.dbapi_connection._sock = None
                each.invalidate()
            held = hold(engine, 2)
            tell("closed")
            gate("look")
            use(engine)
            seen = [os.fstat(number) for number in numbers]
            assert [each.st_ino for each in files] == [each.st_ino for each in seen]
            for pair in pairs:
                pair[0].setblocking(False)
                pair[1].setblocking(False)
                assert pair[0].recv(100) == b"mine"
                try:
                    tell("came", repr(pair[1].recv(100)))
                except BlockingIOError:
                    pass
            tell("looked")
            gate("end")
            os._exit(0)
            """,
            self.database(),
        )
        self.console.shows("app", nproc=1, conn=3)
        program.open("close")
        program.told("closed")
        self.shows(nproc=1, conn=2, ckout=2)
        program.open("look")
        program.told("looked")
        self.linked({program.pid: ["joined", "left", "joined"]})
        self.assertEqual(
            [], [each for each in program._notes() if each["what"] == "came"]
        )
        program.open("end")
        self.assertEqual(0, program.wait())

    def test_no_more_descriptors(self) -> None:
        """The link is lost and cannot be made; the program and its processor rest."""
        program = self.start(
            """
            import resource
            engine = make()
            held = hold(engine, 3)
            gate("limit")
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))
            held.pop().close()
            began = time.process_time()
            time.sleep(2)
            spent = time.process_time() - began
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            tell("spent", spent)
            gate("end")
            """,
            self.database(),
        )
        self.shows(nproc=1, conn=3, ckout=3)
        program.open("limit")
        self.assertLess(program.value("spent"), 0.5)
        self.shows(nproc=1, conn=3, ckout=2)
        program.open("end")
        self.ends_well(program)

    def test_daemonised(self) -> None:
        """Two forks, a new session, all descriptors closed, streams on /dev/null."""
        program = self.start(
            """
            engine = make()
            held = hold(engine, 1)
            gate("fork")
            if os.fork():
                os._exit(0)
            os.setsid()
            os.chdir("/")
            os.umask(0)
            if os.fork():
                os._exit(0)
            before = {}
            os.closerange(0, 1024)
            for number in range(3):
                os.open(os.devnull, os.O_RDWR)
            for each in held:
                each.connection.dbapi_connection._sock.detach()
            inherit(engine)
            mine = hold(engine, 3)
            before = state()
            tell("daemon")
            gate("end")
            tell("changed", changed(before))
            """,
            self.database(),
        )
        self.shows(nproc=1, conn=1)
        program.open("fork")
        daemon = program.told("daemon")[0]["pid"]
        self.assertNotEqual(program.pid, daemon)
        self.shows(nproc=1, conn=3, ckout=3)
        self.assertEqual(0, program.wait())
        self.linked({program.pid: ["joined", "left"], daemon: ["joined"]})
        program.open("end")
        self.assertEqual({}, program.value("changed"))
        self.shows(nproc=0, conn=0)


class PrivilegeTests(HostTestCase):
    """Programs that give up what they began with."""

    def setUp(self) -> None:
        """A node, a server; it takes root to become nobody."""
        super().setUp()
        if not as_root():
            lacking("not root, so no user or root can be changed")
        self.server = servers.mariadb()
        self.start_node()

    def database(self) -> str:
        """The server's database, watched."""
        return self.watched(database=self.server.url("pymysql"))

    def test_another_user(self) -> None:
        """The link lives on, and is made again by the new user; children too."""
        program = self.start(
            f"""
            engine = make()
            held = hold(engine, 2)
            gate("change")
            os.setgroups([])
            os.setgid({NOBODY})
            os.setuid({NOBODY})
            before = state()
            held += hold(engine, 1)
            tell("changed user")
            gate("fork")
            pid = os.fork()
            if pid == 0:
                inherit(engine)
                mine = hold(engine, 2)
                tell("child")
                gate("child")
                sys.exit()
            children_end([pid])
            tell("changed", changed(before))
            gate("end")
            """,
            self.database(),
        )
        self.shows(nproc=1, conn=2)
        program.open("change")
        program.told("changed user")
        self.shows(nproc=1, conn=3, ckout=3)
        program.open("fork")
        child = program.told("child")[0]["pid"]
        self.shows(nproc=2, conn=5, ckout=5)
        program.open("child")
        self.assertEqual({}, program.value("changed"))
        self.shows(nproc=1, conn=3)
        self.linked({program.pid: ["joined"], child: ["joined", "left"]})
        program.open("end")
        self.ends_well(program)

    def test_another_root(self) -> None:
        """No file of Python's can be reached any more, and none is needed."""
        jail = self.directory / "jail"
        jail.mkdir()
        program = self.start(
            f"""
            engine = make()
            held = hold(engine, 2)
            gate("change")
            known = set(sys.modules)
            os.chroot({str(jail)!r})
            os.chdir("/")
            moved("/")
            before = state()
            held += hold(engine, 1)
            tell("changed root")
            gate("fork")
            pid = os.fork()
            if pid == 0:
                inherit(engine)
                mine = hold(engine, 2)
                tell("child")
                gate("child")
                sys.exit()
            children_end([pid])
            tell("imported", sorted(set(sys.modules) - known))
            tell("changed", changed(before))
            gate("end")
            """,
            self.database(),
        )
        outside, program.directory = program.directory, jail
        self.shows(nproc=1, conn=2)
        (outside / "gate-change").touch()
        program.told("changed root")
        self.shows(nproc=1, conn=3, ckout=3)
        program.open("fork")
        child = program.told("child")[0]["pid"]
        self.shows(nproc=2, conn=5, ckout=5)
        program.open("child")
        self.assertEqual([], program.value("imported"))
        self.assertEqual({}, program.value("changed"))
        self.shows(nproc=1, conn=3)
        self.linked({program.pid: ["joined"], child: ["joined", "left"]})
        program.open("end")
        self.ends_well(program)


class NoThreadTests(HostTestCase):
    """Programs that the system gives no more threads."""

    def setUp(self) -> None:
        """Root has no such limit."""
        super().setUp()
        if not as_root():
            lacking("not root, so not nobody either")

    #: Become a user that may have no more processes.
    LIMIT = f"""
import resource
def limit():
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
"""

    def test_no_thread_at_first(self) -> None:
        """One line in the log, and the database works."""
        program = self.start(
            LOGGED
            + self.LIMIT
            + """
engine = make()
limit()
before = state()
use(engine, 50)
held = hold(engine, 3)
tell("logged", Logged.lines)
tell("changed", changed(before))
""",
            self.watched(f"127.0.0.1:{free_port()}", "sqlite://"),
        )
        self.assertEqual([REFUSED], program.value("logged"))
        self.assertEqual({}, program.value("changed"))
        self.ends_well(program)

    def test_no_thread_after_a_fork(self) -> None:
        """The thread stood aside and cannot come back: the node sees the link end."""
        self.start_node()
        program = self.start(
            LOGGED
            + self.LIMIT
            + """
engine = make()
held = hold(engine, 3)
gate("fork")
limit()
try:
    os.fork()
except BlockingIOError:
    tell("no fork")
use(engine, 50)
tell("logged", Logged.lines)
gate("end")
""",
            self.watched(database="sqlite://"),
        )
        self.shows(nproc=1, conn=3)
        program.open("fork")
        program.told("no fork")
        self.assertEqual([REFUSED], program.value("logged"))
        self.shows(nproc=0, conn=0)
        program.open("end")
        self.ends_well(program)
