"""Twisted's own programs, and crochet's: the reactor is the host's alone.

We use Twisted, too: another reactor, installed nowhere. What is here would notice if
ours were taken for the host's, or the host's for ours.
"""

from __future__ import annotations

from tests.hosts.pairs import LATER, PairTestCase
from tests.hosts.programs import WARNINGS

#: A program whose reactor runs: threads that use the database, a process, a timer; then
#: it waits at a gate, and ends. ``make`` is called where ``WHEN`` says.
HOST = """
from twisted.logger import formatEvent, globalLogPublisher
logged = []
globalLogPublisher.addObserver(
    lambda event: logged.append([event.get("log_namespace"), formatEvent(event)])
)

def begin():
    global engine, held
    engine = make()
    held = hold(engine, 3)

def reactor_is_there():
    return "twisted.internet.reactor" in sys.modules

{before}

from twisted.internet import defer, protocol, task, threads
from twisted.python import threadable

class Said(protocol.ProcessProtocol):
    def __init__(self):
        self.said, self.done = b"", defer.Deferred()

    def outReceived(self, data):
        self.said += data

    def processEnded(self, reason):
        self.done.callback([self.said.decode(), reason.value.exitCode])

def work():
    use(engine, 5)
    return threadable.isInIOThread()

@defer.inlineCallbacks
def main():
    # The reactor is at work, and its pool has all the threads it will ever have.
    yield task.deferLater(reactor, 0, lambda: None)
    reactor.suggestThreadPoolSize(8)
    full = threading.Barrier(8)
    yield defer.gatherResults([threads.deferToThread(full.wait) for _ in range(8)])
    was = state()
    {inside}
    tell("io", threadable.isInIOThread())
    answers = yield defer.gatherResults(
        [threads.deferToThread(work) for _ in range(8)]
    )
    tell("threads", answers)
    called = threads.deferToThread(
        threads.blockingCallFromThread, reactor, threadable.isInIOThread
    )
    tell("called", (yield called))
    said = Said()
    reactor.spawnProcess(said, "/bin/sh", ["sh", "-c", "echo hello; exit 5"])
    tell("process", (yield said.done))
    yield task.deferLater(reactor, 0.01, lambda: None)
    tell("working", engine.pool.checkedout())
    yield threads.deferToThread(gate, "end")
    tell("changed", changed(was))
    tell("calls", len(reactor.getDelayedCalls()))
    tell("readers", sorted(type(each).__name__ for each in reactor.getReaders()))
    tell("handlers", [
        getattr(signal.getsignal(each), "__qualname__", "none")
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
    ])
    reactor.stop()

from twisted.internet import reactor
tell("reactor", type(reactor).__name__)
reactor.callWhenRunning(lambda: main().addErrback(lambda f: tell("failed", str(f))))
reactor.run()
tell("logged", logged)
{after}
tell("ended", time.monotonic())
"""

TOLD = (
    *("reactor", "io", "threads", "called", "process", "changed", "calls"),
    *("readers", "handlers", "logged"),
)

#: Before the reactor is made: nothing of ours makes it.
NONE_YET = """
was_before = state()
begin()
wait_for(lambda: os.path.exists(os.path.join(DIRECTORY, "gate-reported")))
assert not reactor_is_there()
tell("before", changed(was_before))
"""


class TwistedTests(PairTestCase):
    """Where the engine is made, and which reactor is installed afterwards."""

    def live(self, before: str, inside: str = "pass", after: str = "pass") -> None:
        """Live through the program beside its control, and compare all it tells."""
        script = HOST.format(before=before, inside=inside, after=after)
        pair = self.pair(script)
        if "gate-reported" in script:
            self.shows(nproc=1, conn=3, ckout=3)
            pair.open("reported")
            self.same(pair, "before")
        pair.told("working")
        # The threads' connections have come back: at most one for each thread.
        row = self.shows(nproc=1, ckout=3)
        self.assertLessEqual(row["maxckout"], 11)
        pair.open("end")
        self.same(pair, *TOLD)
        self.assertEqual({}, pair.watched.value("changed"))
        self.assertTrue(pair.watched.value("io"))
        self.assertEqual([False] * 8, pair.watched.value("threads"))
        self.end_alike(pair)
        self.shows(nproc=0, conn=0, ckout=0, maxnproc=1)
        self.linked_once(pair.watched.pid)

    def test_made_before_the_reactor(self) -> None:
        """The engine connects and reports before anything has made a reactor."""
        self.live(NONE_YET)

    def test_made_inside_the_running_reactor(self) -> None:
        """In the reactor's thread."""
        self.live("", inside="begin()")

    def test_made_in_a_thread_of_the_reactors_pool(self) -> None:
        """As adbapi would."""
        self.live("", inside="yield threads.deferToThread(begin)")

    def test_asyncio_reactor_installed_afterwards(self) -> None:
        """``install`` works, after our import and with our thread at work."""
        self.live(
            f"{NONE_YET}\n"
            "import asyncio\n"
            "from twisted.internet import asyncioreactor\n"
            "loop = asyncio.new_event_loop()\n"
            # In development mode it tells of every turn that is slow.
            "loop.slow_callback_duration = 60\n"
            "asyncioreactor.install(loop)\n",
            after="loop.close()",
        )

    def test_other_reactors_installed_afterwards(self) -> None:
        """Each of them, the control's choice."""
        for name in ("selectreactor", "pollreactor"):
            with self.subTest(name):
                self.live(
                    f"{NONE_YET}\n"
                    f"from twisted.internet import {name}\n"
                    f"{name}.install()\n"
                )
                self.node.err.seen.clear()

    def test_debugging(self) -> None:
        """With all of Twisted's debugging turned on, nothing of ours is heard."""
        self.live(
            "from twisted.internet import base, defer\n"
            "base.DelayedCall.debug = True\n"
            "defer.setDebugging(True)\n"
            f"{NONE_YET}\n"
        )

    def test_the_reactor_is_never_ours(self) -> None:
        """Not at the engine's making, nor while it reports, nor at the end."""
        pair = self.pair(
            "import atexit\n"
            "def reactor(): return 'twisted.internet.reactor' in sys.modules\n"
            # Before us, so that it is called after us.
            "atexit.register(lambda: tell('at exit', reactor()))\n"
            "was = state()\n"
            "engine = make()\n"
            "tell('made', reactor())\n"
            "held = hold(engine, 2)\n"
            "use(engine, 10)\n"
            "tell('used', reactor())\n"
            "gate('end')\n"
            "tell('reported', reactor())\n"
            "tell('changed', changed(was))\n"
        )
        self.shows(nproc=1, conn=3, ckout=2)
        pair.open("end")
        for when in ("made", "used", "reported", "at exit"):
            self.assertFalse(pair.watched.value(when), when)
        self.assertEqual({}, pair.watched.value("changed"))
        self.end_alike(pair)

    def test_the_end(self) -> None:
        """As soon as without us."""
        script = HOST.format(before="begin()", inside="pass", after="pass")
        self.ends_in_time(script, gates=["end"])


#: A program that uses crochet; what is set up in ``before`` and ``after`` our engine.
CROCHET = """
import crochet
{before}
engine = make()
held = hold(engine, 3)
{after}
from twisted.internet import reactor, task
from twisted.python import threadable

@crochet.wait_for(timeout=20)
def ask(value):
    return task.deferLater(reactor, 0.01, lambda: [value, threadable.isInIOThread()])

@crochet.run_in_reactor
def start(value):
    return value

tell("asked", [ask(each) for each in range(3)])
tell("started", start(7).wait(20))
use(engine, 10)
tell("working")
gate("end")
tell("asked again", ask(4))
tell("threads", sorted(each.name for each in threading.enumerate()))
held.clear()
tell("ended", time.monotonic())
"""


#: crochet calls a method that Python has deprecated.
CROCHETS_OWN = {"PYTHONWARNINGS": f"{WARNINGS},ignore:isSet:DeprecationWarning"}


class CrochetTests(PairTestCase):
    """The host's crochet has a reactor, threads and a log of its own."""

    def live(self, before: str, after: str) -> None:
        """Live through the program beside its control, and compare all it tells."""
        script = CROCHET.format(before=before, after=after)
        pair = self.pair(script, env=CROCHETS_OWN)
        pair.told("working")
        self.shows(nproc=1, conn=4, ckout=3)
        pair.open("end")
        self.same(pair, "asked", "started", "asked again", "threads")
        self.end_alike(pair)
        self.shows(nproc=0, conn=0, ckout=0, maxnproc=1)
        self.linked_once(pair.watched.pid)

    def test_set_up_before(self) -> None:
        """The host's reactor runs when ours begins."""
        self.live("crochet.setup()", "pass")

    def test_set_up_afterwards(self) -> None:
        """Ours runs when the host's begins."""
        self.live("pass", "crochet.setup()")

    def test_the_end(self) -> None:
        """As soon as without us; crochet looks for it ten times a second."""
        script = CROCHET.format(before="crochet.setup()", after="pass")
        self.ends_in_time(script, gates=["end"], later=LATER + 0.1, env=CROCHETS_OWN)
