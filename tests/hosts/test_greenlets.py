"""Programs patched by gevent and eventlet: one real thread, and ours.

Ours has to be a real one, or it would starve with the program's; and whatever it
touches must not be green, or it would hang, and the program with it. So a program is
patched before our import, after it, and with our thread at work already; it works on
SQLite and, by PyMySQL, on MariaDB; it forks; and it is no slower in its turns.
"""

from __future__ import annotations

import json
import os
from typing import Any

from tests.hosts.needed import require
from tests.hosts.pairs import Pair, PairTestCase, after, least_difference
from tests.hosts.programs import WARNINGS
from tests.whole import servers
from tests.whole.fleet import BIN, WITHIN, Console, Node, ran
from tests.whole.servers import eventually, free_port

PATCH = {
    "gevent": "import gevent.monkey; gevent.monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}

#: How a program says that it wants no warning of a patch that comes late.
LATE = """
import warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    {patch}
"""

#: A program of many greenlets, threads by name, that use connections, hold them, wait
#: for them and ask the time.
WORK = """
{before}
was = state()
{begin}
{late}
done, holding, go = [], [], threading.Event()

def work(number):
    use(engine, 5)
    with engine.connect() as connection:
        holding.append(number)
        go.wait()
        connection.execute(text("select 1"))
    done.append(number)

begun = [threading.Thread(target=work, args=(each,)) for each in range(20)]
for each in begun:
    each.start()
wait_for(lambda: len(holding) == 12)
tell("holding", [len(begun), len(done)])
gate("go")
go.set()
for each in begun:
    each.join()
tell("done", sorted(done))
tell("native", threading.active_count())
gate("end")
tell("changed", sorted(changed(was)))
engine.dispose()
tell("ended", time.monotonic())
"""

BEGIN = (
    "engine = create_engine(URL, poolclass=QueuePool, pool_size=4, max_overflow=8,"
    " pool_timeout=50)"
)

IMPORTED = "import connmon.client.agent, connmon.client.listeners"

USED_BEFORE = f"{BEGIN}\nuse(engine, 3)\ngate('before')\n"


#: eventlet warns of every fork.
EVENTLETS_OWN = {"PYTHONWARNINGS": f"{WARNINGS},ignore:Using fork:DeprecationWarning"}


class GreenTestCase(PairTestCase):
    """What gevent's tests and eventlet's have in common."""

    kind: str

    def setUp(self) -> None:
        """Ask for it."""
        require(self.kind)
        super().setUp()

    @property
    def patched(self) -> dict[str, Any]:
        """How to start a program that is patched before its first import."""
        return {"flags": after(PATCH[self.kind])}

    def late(self) -> str:
        """What patches a program in its middle."""
        return LATE.format(patch=PATCH[self.kind])

    def live(
        self,
        *,
        before: str = "",
        begin: str = BEGIN,
        late: str = "",
        mariadb: bool = False,
        **options: Any,
    ) -> None:
        """Live through the program's work; the node's figures are the pool's."""
        database = servers.mariadb().url("pymysql") if mariadb else ""
        script = WORK.format(before=before, begin=begin, late=late)
        control = self.start(script, self.bare(database), **options)
        control.open("before", "go", "end")
        control.told("ended")
        watched = self.start(script, self.watched(database=database), **options)
        if "gate('before')" in script:
            self.shows(nproc=1, conn=1, ckout=0)
            watched.open("before")
        watched.told("holding")
        self.shows(nproc=1, conn=12, ckout=12)
        if mariadb:
            sessions = servers.mariadb().sessions
            self.assertTrue(eventually(lambda: len(sessions()) == 12, WITHIN))
        watched.open("go")
        watched.told("done")
        # What overflowed was closed, and four are kept.
        self.shows(nproc=1, conn=4, ckout=0, maxconn=12, maxckout=12)
        watched.open("end")
        pair = Pair(watched, control)
        self.same(pair, "holding", "done", "native", "changed")
        self.end_alike(pair)
        self.shows(nproc=0, conn=0, ckout=0, maxconn=12, maxckout=12)
        self.linked_once(watched.pid)

    def fork(self) -> None:
        """A child of a patched program reports its own, its parent goes on."""
        script = (
            "engine = make()\n"
            "held = hold(engine, 2)\n"
            "child = os.fork()\n"
            "if child == 0:\n"
            "    inherit(engine)\n"
            "    held = hold(engine, 3)\n"
            "    tell('child')\n"
            "    gate('child')\n"
            "    os._exit(0)\n"
            "tell('forked', child)\n"
            "gate('parent')\n"
            "use(engine, 3)\n"
            "held += hold(engine, 1)\n"
            "gate('child')\n"
            "children_end([child])\n"
            "gate('end')\n"
        )
        program = self.start(script, env=EVENTLETS_OWN, **self.patched)
        child = program.value("forked")
        self.shows(nproc=2, conn=5, ckout=5)
        program.open("parent")
        self.shows(nproc=2, conn=6, ckout=6)
        program.open("child")
        self.shows(nproc=1, conn=3, ckout=3)
        program.open("end")
        self.ends_well(program)
        self.linked_once(program.pid, child)

    def stacks(self) -> None:
        """Each greenlet is seen where it gave way, in the function that holds."""
        script = (
            f"{BEGIN}\n"
            "go, holding = threading.Event(), []\n"
            "def hold_the_line():\n"
            "    with engine.connect():\n"
            "        holding.append(1)\n"
            "        go.wait()\n"
            "begun = [threading.Thread(target=hold_the_line) for _ in range(3)]\n"
            "for each in begun:\n"
            "    each.start()\n"
            "wait_for(lambda: len(holding) == 3)\n"
            "gate('end')\n"
            "go.set()\n"
            "for each in begun:\n"
            "    each.join()\n"
        )
        program = self.start(script, **self.patched)
        self.shows(nproc=1, conn=3, ckout=3)
        whose = f"{os.uname().nodename}:{program.pid}"
        command = (BIN / "connmon", "stack", "-H", self.node.address, whose, "--json")
        told = [json.loads(line)["stack"] for line in ran(*command).stdout.splitlines()]
        self.assertEqual(3, len(told))
        for each in told:
            self.assertIn("hold_the_line", " ".join(each))
            self.assertNotIn("wait_for", " ".join(each))
        program.open("end")
        self.ends_well(program)

    def log(self) -> None:
        """A log whose handler has the hub run others, with its lock held.

        Our thread has something to say just then: that there is no node.
        """
        script = (
            "import connmon, logging\n"
            "said = []\n"
            "class Slow(logging.Handler):\n"
            "    def emit(self, record):\n"
            "        said.append(record.getMessage())\n"
            "        if record.name == 'host':\n"
            "            gate('emit')\n"
            "logging.basicConfig(level=logging.INFO, handlers=[Slow()])\n"
            "host = logging.getLogger('host')\n"
            "engine = make()\n"
            "one = threading.Thread(target=host.info, args=('one',))\n"
            "one.start()\n"
            "wait_for(lambda: said)\n"
            "use(engine)\n"
            "failures = lambda: connmon.status()['destinations'][0]['failures']\n"
            # The second time, our thread has said what there is to say of the first.
            "wait_for(lambda: failures() > 1)\n"
            "tell('refused')\n"
            "one.join()\n"
            "host.info('two')\n"
            "wait_for(lambda: use(engine) or len(said) > 2)\n"
            "tell('said', said)\n"
            "held = hold(engine, 2)\n"
            "gate('end')\n"
        )
        port = free_port()
        address = f"127.0.0.1:{port}"
        program = self.start(script, self.watched(address), **self.patched)
        program.told("refused")
        program.open("emit")
        told = f"connmon: no node reached, last tried {address}"
        self.assertEqual(["one", "two", told], program.value("said"))
        self.node = self.stack.enter_context(Node(port))
        self.console = self.stack.enter_context(Console(self.node))
        self.shows(nproc=1, conn=2, ckout=2)
        program.open("end")
        self.ends_well(program)

    def leak(self) -> None:
        """A greenlet that ends with a connection which somebody else keeps.

        Others live and have one, or gave it back; all are in one thread.
        """
        script = (
            "engine = make()\n"
            "held, go = [], threading.Event()\n"
            "def take():\n"
            "    held.append(engine.connect())\n"
            "def keep():\n"
            "    with engine.connect():\n"
            "        go.wait()\n"
            "lost = threading.Thread(target=take, name='lost')\n"
            "kept = threading.Thread(target=keep, name='kept')\n"
            "for each in (lost, kept):\n"
            "    each.start()\n"
            "lost.join()\n"
            "use(engine, 3)\n"
            "tell('taken')\n"
            "gate('end')\n"
            "go.set()\n"
            "kept.join()\n"
            "held.pop().close()\n"
        )
        program = self.start(script, self.watched(), **self.patched)
        program.told("taken")
        self.shows(nproc=1, ckout=2, leaks=1)
        program.open("end")
        self.ends_well(program)
        # It was returned after all.
        self.shows(nproc=0, leaks=0)

    def lag(self) -> None:
        """How long a greenlet waits for its turn, beside a control."""
        script = (
            "use(engine := make(), 3)\n"
            "lags, over = [], []\n"
            "def tick():\n"
            "    while not over:\n"
            "        then = time.perf_counter()\n"
            "        time.sleep(0.002)\n"
            "        lags.append(time.perf_counter() - then - 0.002)\n"
            "def work():\n"
            "    while not over:\n"
            "        use(engine)\n"
            "        time.sleep(0.001)\n"
            "gate('begin')\n"
            "begun = [threading.Thread(target=each) for each in [tick] + [work] * 5]\n"
            "for each in begun:\n"
            "    each.start()\n"
            "time.sleep(2)\n"
            "over.append(True)\n"
            "for each in begun:\n"
            "    each.join()\n"
            "lags.sort()\n"
            "tell('lag', lags[len(lags) * 99 // 100])\n"
        )
        flags = after(PATCH[self.kind])[2:]

        def measure() -> tuple[float, float]:
            pair = self.pair(script, servers.mariadb().url("pymysql"), flags=flags)
            # One after the other: two at once would wait for each other.
            for each in (pair.control, pair.watched):
                each.open("begin")
                each.told("lag")
                each.leaves()
            watched, control = pair.told("lag")
            return watched, control

        self.assertLess(least_difference(measure, 3), 0.02)

    def end(self) -> None:
        """As soon as without us."""
        script = (
            f"{BEGIN}\n"
            "five = lambda: use(engine, 5)\n"
            "begun = [threading.Thread(target=five) for _ in range(9)]\n"
            "for each in begun:\n"
            "    each.start()\n"
            "for each in begun:\n"
            "    each.join()\n"
            "tell('ended', time.monotonic())\n"
        )
        flags = after(PATCH[self.kind])[2:]
        self.ends_in_time(script, flags=flags)


class GeventTests(GreenTestCase):
    """gevent, at any time."""

    kind = "gevent"

    def test_patched_first(self) -> None:
        """As gevent asks for."""
        self.live(**self.patched)

    def test_names(self) -> None:
        """Of greenlets that gevent has a name for, and of those that are threads."""
        script = (
            "import gevent, connmon\n"
            f"{BEGIN}\n"
            "def work():\n"
            "    with engine.connect():\n"
            "        gate('end')\n"
            "def named():\n"
            "    gevent.getcurrent().name = 'import-worker'\n"
            "    threading.current_thread()\n"
            "    with engine.connect():\n"
            "        wait_for(lambda: worker.is_alive() is False)\n"
            "def owners():\n"
            "    (found,) = connmon.status()['destinations']\n"
            "    each = [c for p in found['pools'] for c in p['connections']]\n"
            "    return sorted(one['owner'] for one in each)\n"
            "worker = threading.Thread(target=work, name='worker-7')\n"
            "worker.start()\n"
            "spawned = gevent.spawn(named)\n"
            "wait_for(lambda: len(owners()) == 2)\n"
            "tell('owners', owners())\n"
            "spawned.join()\n"
        )
        program = self.start(script, self.watched(), flags=after(PATCH["gevent"]))
        self.assertEqual(["import-worker", "worker-7"], program.value("owners"))
        program.open("end")
        program.leaves()

    def test_mariadb(self) -> None:
        """By PyMySQL, whose sockets are green."""
        self.live(mariadb=True, **self.patched)

    def test_patched_after_our_import(self) -> None:
        """Between our import and the engine's making."""
        self.live(before=f"{IMPORTED}\n{self.late()}")

    def test_patched_with_our_thread_at_work(self) -> None:
        """After the engine was made and used, and reports."""
        self.live(begin=USED_BEFORE, late=self.late())

    def test_fork(self) -> None:
        """The fork is gevent's own, which looks after its hub; ours is our thread."""
        self.fork()

    def test_stacks(self) -> None:
        """Greenlets are seen where they are."""
        self.stacks()

    def test_log(self) -> None:
        """Our thread stays out of a lock that is green."""
        self.log()

    def test_a_leak(self) -> None:
        """The greenlet that has ended is told from those that have not."""
        self.leak()

    def test_turns(self) -> None:
        """The hub's turns come as soon as without us."""
        self.lag()

    def test_the_end(self) -> None:
        """The program's end, too."""
        self.end()


class EventletTests(GreenTestCase):
    """eventlet, before and after our import."""

    kind = "eventlet"

    def test_patched_first(self) -> None:
        """As eventlet asks for."""
        self.live(**self.patched)

    def test_mariadb(self) -> None:
        """By PyMySQL, whose sockets are green."""
        self.live(mariadb=True, **self.patched)

    def test_patched_after_our_import(self) -> None:
        """Between our import and the engine's making."""
        self.live(before=f"{IMPORTED}\n{self.late()}")

    def test_fork(self) -> None:
        """The child has a thread of its own."""
        self.fork()

    def test_stacks(self) -> None:
        """Greenlets are seen where they are."""
        self.stacks()

    def test_log(self) -> None:
        """Our thread stays out of a lock that would hang the program with it."""
        self.log()

    def test_a_leak(self) -> None:
        """The greenlet that has ended is told from those that have not."""
        self.leak()

    def test_turns(self) -> None:
        """The hub's turns come as soon as without us."""
        self.lag()

    def test_the_end(self) -> None:
        """The program's end, too."""
        self.end()
