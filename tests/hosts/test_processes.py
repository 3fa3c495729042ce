"""Programs of several threads and processes: each reports its own, and only its own."""

from __future__ import annotations

import textwrap

from tests.hosts.programs import HostTestCase, Program
from tests.whole import servers

#: A parent that holds three connections, and how its children live, which hold two.
FAMILY = """
def child(forked=True):
    if forked:
        inherit(engine)
    held = hold(engine, 2)
    before = state()
    tell("child")
    gate("children")
    tell("changed", changed(before))

def take_turns(forked):
    child(forked in (0, 1, "fork"))


if __name__ in ("__main__", "__mp_main__"):
    engine = make()

if "again" in sys.argv:
    child(forked=False)
elif __name__ == "__main__":
    before = state()
    held = hold(engine, 3)
    tell("parent")
    gate("family")
{family}
    tell("alone")
    gate("end")
    tell("changed", changed(before))
"""


class FamilyTests(HostTestCase):
    """A parent and its children, by every way there is to have some."""

    def family(self, script: str, count: int = 1) -> Program:
        """A parent has ``count`` children: each is seen for itself, from first to last.

        ``script`` has the children made, let them live and waits for their end.
        """
        self.start_node()
        family = textwrap.indent(textwrap.dedent(script), "    ")
        program = self.start(FAMILY.format(family=family))
        parent = program.told("parent")[0]["pid"]
        self.shows(nproc=1, conn=3, ckout=3)
        program.open("family")
        children = {each["pid"] for each in program.told("child", count)}
        self.assertEqual(count, len(children - {parent}))
        self.shows(nproc=1 + count, conn=3 + 2 * count, ckout=3 + 2 * count)
        self.linked({pid: ["joined"] for pid in (parent, *children)})
        program.open("children")
        program.told("alone")
        self.shows(nproc=1, conn=3, ckout=3, maxnproc=1 + count)
        self.assertEqual(["joined"], self.links()[parent])
        program.open("end")
        self.ends_well(program)
        self.shows(nproc=0, conn=0)
        for each in program.told("changed", 1 + count):
            self.assertEqual({}, each["value"])
        expected = {pid: ["joined", "left"] for pid in (parent, *children)}
        self.linked(expected)
        return program

    def test_fork(self) -> None:
        """``os.fork``, and a child that ends as programs do."""
        self.family(
            """
            pid = os.fork()
            if pid == 0:
                child()
                sys.exit()
            children_end([pid])
            """
        )

    def test_fork_and_underscore_exit(self) -> None:
        """``os.fork``, and a child that ends by ``os._exit``."""
        self.family(
            """
            pids = [os.fork() for _ in range(1)]
            if pids == [0]:
                child()
                os._exit(0)
            children_end(pids)
            """
        )

    def test_nested_forks(self) -> None:
        """A child, its child, and the child of that."""
        self.family(
            """
            def generation(number):
                pid = os.fork()
                if pid == 0:
                    inherit(engine)
                    with engine.connect():
                        if number < 3:
                            generation(number + 1)
                    child(False)
                    os._exit(0)
                if number == 1:
                    children_end([pid])

            generation(1)
            """,
            3,
        )

    def test_fork_from_a_thread(self) -> None:
        """The thread that forks is the child's main thread; others are not there."""
        self.family(
            """
            def fork():
                pid = os.fork()
                if pid == 0:
                    child()
                    os._exit(0)
                children_end([pid])

            threads = [threading.Thread(target=fork) for _ in range(2)]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
            """,
            2,
        )

    def test_fork_then_exec(self) -> None:
        """Another program takes the child's place, with an engine of its own."""
        self.family(
            """
            pid = os.fork()
            if pid == 0:
                os.execv(sys.executable, [sys.executable, __file__, "again"])
            children_end([pid])
            """
        )

    def multiprocessing(self, method: str) -> None:
        """Processes of ``multiprocessing``, by one method of making them."""
        self.family(
            f"""
            import multiprocessing
            context = multiprocessing.get_context({method!r})
            processes = [
                context.Process(target=child, args=({method!r} == "fork",))
                for _ in range(2)
            ]
            for each in processes:
                each.start()
            for each in processes:
                each.join()
            assert [each.exitcode for each in processes] == [0, 0], processes
            """,
            2,
        )

    def test_multiprocessing_fork(self) -> None:
        """Children are forks."""
        self.multiprocessing("fork")

    def test_multiprocessing_spawn(self) -> None:
        """Children are programs of their own, that import the parent's."""
        self.multiprocessing("spawn")

    def test_multiprocessing_forkserver(self) -> None:
        """Children are forks of a third process."""
        self.multiprocessing("forkserver")

    def test_multiprocessing_pool(self) -> None:
        """Workers that fork when the pool is made, and live as long as it."""
        self.family(
            """
            import multiprocessing
            with multiprocessing.get_context("fork").Pool(2) as pool:
                pool.map(take_turns, range(2), chunksize=1)
                pool.close()
                pool.join()
            """,
            2,
        )

    def test_process_pool_executor(self) -> None:
        """The same by ``concurrent.futures``, as this Python does it by default."""
        self.family(
            """
            from concurrent.futures import ProcessPoolExecutor
            from multiprocessing import get_start_method
            with ProcessPoolExecutor(2) as executor:
                list(executor.map(take_turns, [get_start_method()] * 2))
            """,
            2,
        )


class ThreadTests(HostTestCase):
    """One process, many threads."""

    def setUp(self) -> None:
        """A node."""
        super().setUp()
        self.start_node()

    def test_plain_threads(self) -> None:
        """What all threads hold and did is told, to the last."""
        program = self.start(
            """
            engine = make()
            before = state()
            held = [[] for _ in range(8)]

            def work(mine):
                use(engine, 25)
                mine += hold(engine, 2)
                tell("holds")
                gate("work")
                while mine:
                    mine.pop().close()

            threads = [threading.Thread(target=work, args=(each,)) for each in held]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
            tell("changed", changed(before))
            gate("end")
            """
        )
        program.told("holds", 8)
        self.shows(nproc=1, ckout=16)
        program.open("work")
        self.assertEqual({}, program.value("changed"))
        self.shows(nproc=1, ckout=0, maxckout=16)
        program.open("end")
        self.ends_well(program)
        self.shows(nproc=0, conn=0, maxckout=16)

    def test_threads_that_outlive_main(self) -> None:
        """The process reports until its last thread is done."""
        program = self.start(
            """
            engine = make()
            held = hold(engine, 1)

            def work():
                main.join()
                tell("main ended")
                gate("more")
                held.extend(hold(engine, 3))
                tell("more")
                gate("end")

            main = threading.main_thread()
            threading.Thread(target=work).start()
            """
        )
        program.told("main ended")
        self.shows(nproc=1, conn=1, ckout=1)
        program.open("more")
        program.told("more")
        self.shows(nproc=1, conn=4, ckout=4)
        program.open("end")
        self.ends_well(program)
        self.shows(nproc=0, conn=0, maxckout=4)

    def test_daemon_threads_at_the_end(self) -> None:
        """Threads that use the database as the interpreter goes down harm nobody."""
        program = self.start(
            """
            engine = make()

            def work():
                while True:
                    use(engine)

            for _ in range(4):
                threading.Thread(target=work, daemon=True).start()
            tell("works")
            gate("end")
            """
        )
        program.told("works")
        self.shows(nproc=1)
        program.open("end")
        self.ends_well(program)
        self.shows(nproc=0, conn=0, ckout=0)


class LineageTests(HostTestCase):
    """What forks must not do to the parent, and what becomes of who is left."""

    def setUp(self) -> None:
        """A node."""
        super().setUp()
        self.start_node()

    def database(self) -> str:
        """A database whose driver, in Python all of it, holds no locks as others fork.

        SQLite and OpenSSL do, and a child may find them held, watched or not.
        """
        url = self.watched(database=servers.mariadb().url("pymysql"))
        return f"{url}&ssl_disabled=true"

    def test_forks_while_the_thread_is_busy(self) -> None:
        """Two threads hammer the pool; every child reports, the parent never stops."""
        program = self.start(
            """
            engine = make()
            go_on = True
            # More interleavings, and less waiting for the lock of the interpreter.
            sys.setswitchinterval(0.0002)

            def work():
                while go_on:
                    use(engine)

            threads = [threading.Thread(target=work) for _ in range(2)]
            for each in threads:
                each.start()
            for _ in range(6):
                pids = []
                for _ in range(4):
                    if 0 not in pids:
                        pids.append(os.fork())
                if 0 in pids:
                    inherit(engine)
                    use(engine)
                    # As a program ends; the threads are not here.
                    sys.exit()
                tell("forked", pids)
                children_end(pids)
            go_on = False
            for each in threads:
                each.join()
            held = hold(engine, 5)
            tell("done")
            gate("end")
            """,
            self.database(),
            flags=(),
        )
        program.told("done", within=60.0)
        self.shows(nproc=1, ckout=5)
        children = {pid for each in program.told("forked") for pid in each["value"]}
        self.assertEqual(24, len(children))
        expected = {pid: ["joined", "left"] for pid in children}
        self.linked({program.pid: ["joined"], **expected})
        program.open("end")
        self.ends_well(program)

    def test_forks_while_the_thread_starts(self) -> None:
        """One thread uses its first connection as another forks; both report."""
        program = self.start(
            """
            import random
            engine = make()
            for _ in range(8):
                pid = os.fork()
                if pid:
                    children_end([pid])
                    continue
                thread = threading.Thread(target=use, args=(engine,))
                thread.start()
                time.sleep(random.uniform(0, 0.003))
                if os.fork() == 0:
                    # Of its own: SQLAlchemy's locks may be held in the inherited one.
                    use(make())
                    tell("grandchild")
                    sys.exit()
                thread.join()
                os.wait()
                tell("child")
                sys.exit()
            tell("done")
            """,
            self.database(),
        )
        program.told("done", within=60.0)
        self.ends_well(program)
        self.shows(nproc=0)
        pids = {each["pid"] for each in program.told("child", 8)}
        pids |= {each["pid"] for each in program.told("grandchild", 8)}
        self.linked({pid: ["joined", "left"] for pid in pids})

    def test_a_parent_that_dies_while_its_child_idles(self) -> None:
        """The child keeps nothing of its parent's link open."""
        program = self.start(
            """
            engine = make()
            held = hold(engine, 2)
            if os.fork() == 0:
                tell("child")
                gate("child")
                os._exit(0)
            gate("never")
            """
        )
        program.told("child")
        self.shows(nproc=1, conn=2)
        program.process.kill()
        self.console.shows("app", within=5.0, nproc=0, conn=0)
        program.open("child")

    def test_a_program_that_becomes_another(self) -> None:
        """``os.execv`` without a fork: the link closes, and the same pid joins anew."""
        program = self.start(
            """
            engine = make()
            if "again" in sys.argv:
                held = hold(engine, 1)
                tell("again")
                gate("end")
            else:
                held = hold(engine, 2)
                tell("first")
                gate("exec")
                os.execv(sys.executable, [sys.executable, __file__, "again"])
            """
        )
        program.told("first")
        self.shows(nproc=1, conn=2)
        program.open("exec")
        program.told("again")
        self.shows(nproc=1, conn=1)
        self.linked({program.pid: ["joined", "left", "joined"]})
        program.open("end")
        self.ends_well(program)

    def test_subprocess_with_preexec_fn(self) -> None:
        """Python code runs between fork and exec; nothing of ours is passed on."""
        program = self.start(
            """
            import subprocess
            engine = make()
            held = hold(engine, 2)
            gate("run")

            def list_open():
                seen = subprocess.run(
                    ["ls", "-l", "/proc/self/fd"],
                    preexec_fn=os.setsid,
                    close_fds=False,
                    capture_output=True,
                    text=True,
                    check=True,
                )
                return [line for line in seen.stdout.splitlines() if "socket:" in line]

            tell("open", [list_open() for _ in range(20)])
            held += hold(engine, 1)
            gate("end")
            """
        )
        self.shows(nproc=1, conn=2)
        program.open("run")
        self.assertEqual([[]] * 20, program.value("open"))
        self.shows(nproc=1, conn=3, maxnproc=1)
        self.linked({program.pid: ["joined"]})
        program.open("end")
        self.ends_well(program)

    def last_words(self, method: str) -> None:
        """Children of ``multiprocessing`` end at once, and all they did is told."""
        program = self.start(
            f"""
            import multiprocessing

            def child(number):
                inherit(engine)
                held = hold(engine, number)

            if __name__ in ("__main__", "__mp_main__"):
                engine = make()

            if __name__ == "__main__":
                context = multiprocessing.get_context({method!r})
                hold(engine, 1).clear()
                for number in range(10, 14):
                    process = context.Process(target=child, args=(number,))
                    process.start()
                    process.join()
                    assert process.exitcode == 0
                    tell("child ended")
                    gate(str(number))
            """
        )
        for number in range(10, 14):
            program.told("child ended", number - 9)
            self.shows(maxckout=number, ckout=0)
            program.open(str(number))
        self.ends_well(program)

    def test_last_words_of_forks(self) -> None:
        """They end by ``os._exit``, where ``atexit`` is not heard."""
        self.last_words("fork")

    def test_last_words_of_the_forkserver(self) -> None:
        """The same, with another parent."""
        self.last_words("forkserver")

    def test_signal_handlers_that_raise_amid_forks(self) -> None:
        """Whatever they cut short, the program goes on reporting."""
        program = self.start(
            """
            import random

            class Late(Exception):
                pass

            def late(number, frame):
                raise Late

            sys.unraisablehook = lambda unraisable: None
            engine = make()
            held = hold(engine, 1)
            signal.signal(signal.SIGALRM, late)
            interrupted = 0
            for number in range(400):
                try:
                    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 2e-3))
                    pid = os.fork()
                    if pid == 0:
                        os._exit(0)
                    signal.setitimer(signal.ITIMER_REAL, 0)
                except Late:
                    interrupted += 1
                while True:
                    try:
                        os.waitpid(-1, 0)
                    except ChildProcessError:
                        break
                    except Late:
                        pass
            tell("interrupted", interrupted)
            held += hold(engine, 2)
            gate("end")
            """
        )
        program.told("interrupted", within=60.0)
        self.shows(nproc=1, conn=3, ckout=3)
        self.linked({program.pid: ["joined"]})
        program.open("end")
        self.ends_well(program)

    def test_signal_handlers_that_raise_at_the_start(self) -> None:
        """A process whose first report they cut short makes it with the next."""
        program = self.start(
            """
            import random

            class Late(Exception):
                pass

            def late(number, frame):
                raise Late

            engine = make()
            # What is made once is not the point.
            signal.signal(signal.SIGALRM, late)
            for _ in range(24):
                pid = os.fork()
                if pid:
                    children_end([pid])
                    continue
                interrupted = 0
                while interrupted < 3:
                    try:
                        signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 3e-3))
                        for _ in range(50):
                            use(engine)
                        signal.setitimer(signal.ITIMER_REAL, 0)
                        break
                    except Exception:
                        interrupted += 1
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, signal.SIG_IGN)
                use(engine)
                tell("child", interrupted)
                sys.exit()
            tell("done")
            """,
            flags=(),
        )
        program.told("done", within=60.0)
        program.leaves()
        children = program.told("child", 24)
        self.shows(nproc=0)
        self.assertTrue(any(each["value"] for each in children))
        expected = {each["pid"]: ["joined", "left"] for each in children}
        self.linked(expected)
