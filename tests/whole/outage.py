"""A story of outages: programs with all kinds of trouble where their nodes should be.

An outage takes time, and much of it is waiting. So all begin at once, work for a while,
one after the other, and then find a good node at the same address. The story is lived
once, by the first test that asks; what was seen in it is in ``Story`` and ``Course``.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import tests
from tests.whole import strangers
from tests.whole.fleet import (
    APPLICATION,
    WITHIN,
    Application,
    Console,
    Node,
    Running,
    row_of,
)
from tests.whole.servers import eventually
from tests.whole.strangers import Absent, BlackHole, NameServer, Stranger

#: Where the programs find ``tests``; not resolved, lest they find connmon there too.
ROOT = Path(tests.__file__).parent.parent

#: Every warning is an error, but those that Python gives to any program of the kind.
WARNINGS = "error,ignore::ResourceWarning,ignore:This process (pid=:DeprecationWarning"

SETUP = """
import gc
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool, QueuePool
from tests.whole.pressure import *
import connmon
url = {url!r}
# SQLAlchemy 1.4 leaves SQLite's own check of threads on.
anywhere = {{"check_same_thread": False}}
engine = create_engine(url, poolclass=QueuePool, pool_size=20, connect_args=anywhere)
def done():
    return connmon.status()["destinations"][0]
"""

OUTAGE_SECONDS = 12.0
"""How long the trouble lasts at least."""

LONGER_SECONDS = 0.25
"""How much longer the slowest checkout may take than in a program without us.

The slowest of many is chance, on a busy machine. What of ours waits for a node waits
for five seconds.
"""

WAITED_SECONDS = 0.05
"""For how much longer a thread may be kept from work than in a program without us."""

QUIET_SECONDS = 1.5
"""After how long without work the next connection taken wakes the reporting thread."""

END_SECONDS = 0.5 + 0.3
"""How much longer an end may take: what is promised, and what a busy machine needs."""

HELD = {"nproc": 1, "conn": 7, "ckout": 3, "maxnproc": 1, "maxconn": 7, "maxckout": 7}
"""What each program has at the end, as the board shows it."""


@dataclass(frozen=True)
class Trouble:
    """One kind of it: what is at the node's address."""

    name: str
    make: Callable[[], Stranger]
    seconds: float = 0.0
    """How long it takes to find that out, each time."""
    complaint: str = ""
    """The one line that the application's log has of it, if it has one."""
    has_twin: bool = False
    """Whether two programs are in it, that begin at the same moment."""


def _manner(
    manner: strangers.Manner, seconds: float = 0.0, complaint: str = ""
) -> Trouble:
    """Somebody with such manners."""
    return Trouble(manner.__name__, lambda: Stranger(manner), seconds, complaint)


ODD = "not a connmon node, or a broken one: "

TROUBLES = (
    Trouble("absent", Absent),
    Trouble("black_hole", BlackHole, 5.0),
    Trouble("hangs_up", lambda: Stranger(strangers.hangs_up), has_twin=True),
    _manner(strangers.breaks_off),
    _manner(strangers.never_reads, 5.0),
    _manner(strangers.falls_silent, 5.0),
    _manner(strangers.stops_listening, 5.0),
    _manner(strangers.takes_one),
    _manner(strangers.greets_by_half),
    _manner(strangers.drips, 5.0),
    _manner(strangers.talks_rubbish, complaint=ODD + "bytes that are not AMP"),
    _manner(strangers.says_too_much, complaint=ODD + "a box of over 16384 bytes"),
    _manner(strangers.speaks_http, complaint=ODD + "bytes that are not AMP"),
    _manner(strangers.refuses, complaint="refused: this is service other"),
    _manner(strangers.makes_no_sense, complaint="refused: Hello: .*"),
)

#: In the middle of which of them a child ends.
ENDINGS = {
    "absent",
    "black_hole",
    "falls_silent",
    "never_reads",
    "no_names",
    "stopped",
    "stops_listening",
    "takes_one",
}


class Sufferer(Application):
    """An application that reports, or would like to."""

    def __init__(self, url: str, by: Sequence[str] = ()) -> None:
        """Start it; ``by`` is a command that runs commands."""
        Running.__init__(
            self,
            [*by, sys.executable, "-c", APPLICATION, SETUP.format(url=url)],
            {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": WARNINGS},
        )
        self._answer()
        #: How many connections it ever took.
        self.taken = 0

    def begin(self) -> None:
        """Use the database for the first time."""
        self.do("engine.connect().close()")
        self.taken += 1

    def hammers(self) -> Mapping[str, float]:
        """A crew of threads at work."""
        return self._counted("hammer(engine.connect, 0.4)")

    def alone(self) -> float:
        """One thread at work: for how long it was kept from it."""
        return float(self._counted("alone(engine.connect, 0.2)")["waited"])

    def stays(self) -> Mapping[str, float]:
        """A crew at work, and where of ours it was seen."""
        stays: Mapping[str, float]
        stays = self._counted("stays(engine.connect, 0.2)")["longest"]
        return stays

    def hold(self) -> None:
        """Take seven connections, and give four of them back."""
        self.do("held = [engine.connect() for _ in range(7)]")
        self.do("[held.pop().close() for _ in range(4)]")
        self.taken += 7

    def _counted(self, order: str) -> Mapping[str, Any]:
        seen: Mapping[str, Any] = self.do(order)
        self.taken += int(seen["checkouts"])
        return seen


@dataclass
class Course:
    """How one program fared."""

    trouble: Trouble
    place: Stranger | None
    program: Sufferer
    began: float = 0.0
    slowest: float = 0.0
    waited: float = 0.0
    stays: Mapping[str, float] = field(default_factory=dict)
    #: How often it tried to reach its node, in how many seconds; if that can be seen.
    attempts: int | None = None
    seconds: float = 0.0
    calls: list[float] = field(default_factory=list)
    child_ended: float | None = None
    #: How long after the node was there it was on its board, ``None`` if it never was.
    noticed: float | None = None
    #: How many checkouts a node was told of, and how many there were.
    told: int = 0
    taken: int = 0
    status: int | None = None
    said: Sequence[str] = ()

    def work(self) -> None:
        """Work with it, and look whether anything waits."""
        # First, while all is quiet: so that the reporting thread is woken by this one.
        self.waited = self.program.alone()
        self.slowest = self.program.hammers()["max"]
        self.stays = self.program.stays()


class Story:
    """All programs, from first to last."""

    def __init__(self, stack: ExitStack) -> None:
        """Start everything; nothing has used a database yet."""
        self._stack = stack
        self.directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.node = stack.enter_context(Node())
        self.console = stack.enter_context(Console(self.node))
        self.own_nodes = {
            name: stack.enter_context(Node()) for name in ("stopped", "killed")
        }
        with ThreadPoolExecutor(4) as pool:
            courses = list(pool.map(lambda start: start(), self._starts()))
        self.courses = {course.trouble.name: course for course in courses}
        #: The one without us: to be compared with.
        self.plain = self.courses.pop("plain")
        self.twins = [
            (course, self.courses.pop(f"{name} too"))
            for name, course in list(self.courses.items())
            if course.trouble.has_twin
        ]
        self.plain_slowest = self.plain_waited = self.plain_ended = 0.0

    def _starts(self) -> Iterator[Callable[[], Course]]:
        """How to start each of the programs."""
        yield lambda: self._start(Trouble("plain", Absent), None, None)
        yield lambda: self._start(Trouble("healthy", Absent), None, self.node.address)
        for name, node in self.own_nodes.items():
            address = node.address
            yield lambda name=name, address=address: self._start(  # type: ignore[misc]
                Trouble(name, Absent), None, address
            )
        for trouble in TROUBLES:
            yield lambda trouble=trouble: self._meet(trouble)  # type: ignore[misc]
            if trouble.has_twin:
                twin = Trouble(f"{trouble.name} too", trouble.make)
                yield lambda twin=twin: self._meet(twin)  # type: ignore[misc]
        if can_ask_nobody():
            yield self._start_without_names

    def _meet(self, trouble: Trouble) -> Course:
        place = self._stack.enter_context(trouble.make())
        return self._start(trouble, place, place.address)

    def _start_without_names(self) -> Course:
        """A program whose name server does not answer."""
        self.names = NameServer(self.directory)
        self._stack.callback(self.names.close)
        place = self._stack.enter_context(Absent())
        address = f"node.connmon.test:{place.port}"
        return self._start(Trouble("no_names", Absent), place, address, self.names.by)

    def _start(
        self,
        trouble: Trouble,
        place: Stranger | None,
        address: str | None,
        by: Sequence[str] = (),
    ) -> Course:
        """A program, with a database of its own, that reports to this address."""
        name = trouble.name.replace(" ", "_")
        url = f"sqlite:///{self.directory}/{name}.db"
        if address is not None:
            url += f"?plugin=connmon&connmon_addr={address}&connmon_program={name}"
        program = self._stack.enter_context(Sufferer(url, by))
        return Course(trouble, place, program)

    @property
    def everyone(self) -> list[Course]:
        """All programs."""
        twins = [twin for _, twin in self.twins]
        return [self.plain, *self.courses.values(), *twins]

    def live(self) -> None:
        """From first to last."""
        self._begin()
        self._work()
        self._wait_and_count()
        self._have_children()
        self._recover()
        for course in self.everyone:
            course.taken = course.program.taken
            course.status, course.said = course.program.leave()

    def _begin(self) -> None:
        """All use their databases; two nodes work until their clients rely on them."""
        for name in self.own_nodes:
            program = self.courses[name].program
            program.begin()
            relied = eventually(
                lambda: program.do('done()["reports_acknowledged"] >= 2'),  # noqa: B023
                WITHIN,
            )
            assert relied, program.do("done()")
        self.own_nodes["stopped"].process.send_signal(signal.SIGSTOP)
        self.own_nodes["killed"].process.kill()
        for course in self.everyone:
            course.began = time.monotonic()
            if course.trouble.name not in self.own_nodes:
                course.program.begin()

    def _work(self) -> None:
        """One after the other has the machine for itself; the one without us too."""
        courses = list(self.courses.values())
        half = len(courses) // 2
        for each in [self.plain, *courses[:half], self.plain, *courses[half:]]:
            each.work()
            if each is self.plain:
                self.plain_slowest = max(self.plain_slowest, each.slowest)
                self.plain_waited = max(self.plain_waited, each.waited)
        for each in courses:
            # The slowest of many checkouts is chance: it may be so once, or twice.
            for _ in range(2):
                if each.slowest > self.plain_slowest + LONGER_SECONDS:
                    each.slowest = each.program.hammers()["max"]
                if each.waited > self.plain_waited + WAITED_SECONDS:
                    time.sleep(QUIET_SECONDS)
                    each.waited = each.program.alone()

    def _wait_and_count(self) -> None:
        """Let the trouble last, and count how often each program tried."""
        over = max(each.began for each in self.everyone) + OUTAGE_SECONDS
        time.sleep(max(over - time.monotonic(), 0.0))
        for each in [*self.courses.values(), *(twin for _, twin in self.twins)]:
            each.seconds = time.monotonic() - each.began
            if each.place is not None and each.place.calls:
                each.calls = [at - each.began for at in each.place.calls]
                each.attempts = len(each.calls)
            elif each.trouble.name in ("absent", "black_hole"):
                each.attempts = each.program.do('done()["failures"]')

    def _have_children(self) -> None:
        """A child of some begins in the middle of the trouble, and ends.

        One for each state that the end can meet; each waits in vain as long as it may.
        """
        ends = [self.plain.program.do("ended(engine)") for _ in range(2)]
        self.plain_ended = max(ends)
        for name in ENDINGS & self.courses.keys():
            each = self.courses[name]
            # That a busy machine is late, once or twice, is not held against us.
            tries = (each.program.do("ended(engine)") for _ in range(3))
            for took in tries:
                each.child_ended = min(took, each.child_ended or took)
                if took <= self.plain_ended + END_SECONDS:
                    break

    def _recover(self) -> None:
        """Good nodes are there, at the same addresses; wait until all are on boards."""
        for each in self.courses.values():
            each.program.hold()
        good = {**self.own_nodes}
        began = time.monotonic()
        good["stopped"].process.send_signal(signal.SIGCONT)
        good["killed"] = self._stack.enter_context(Node(good["killed"].port))
        if can_ask_nobody():
            self.names.answers = True
        waiting = {}
        for name, each in self.courses.items():
            if each.place is not None:
                each.place.become_node(self.node.port)
            if name not in good:
                waiting[name] = each
        self._notice(self.console, waiting, began)
        for name, node in good.items():
            with Console(node) as console:
                self._notice(console, {name: self.courses[name]}, began)
        for each in self.courses.values():
            self._count(each)

    def _notice(
        self, console: Console, waiting: dict[str, Course], began: float
    ) -> None:
        """Note when the board shows each with all that it has."""
        until = began + WITHIN
        while waiting and time.monotonic() < until:
            frame = console.frame()
            for name, each in list(waiting.items()):
                row = row_of(frame, name)
                if row is not None and HELD.items() <= row.items():
                    each.noticed = time.monotonic() - began
                    del waiting[name]

    def _count(self, course: Course) -> None:
        """What a node was told in the end."""
        place, taken = course.place, course.program.taken
        if place is None:
            # It was no stranger through whom this went: the ledger's own word.
            course.told = course.program.do('done()["pools"][0]["checkouts"]')
            return

        def told() -> int:
            return max(
                (r.counters.checkouts for r in place.reports.values()), default=0
            )

        eventually(lambda: told() == taken, 5.0)
        course.told = told()


def can_ask_nobody() -> bool:
    """Whether a program here can have a name server that does not answer."""
    return os.geteuid() == 0 and shutil.which("unshare") is not None


def story() -> Story:
    """The story; raises whatever broke it off, each time."""
    told = _lived()
    if isinstance(told, Exception):
        raise told
    return told


@cache
def _lived() -> Story | Exception:
    """The story, lived once."""
    try:
        with ExitStack() as stack:
            told = Story(stack)
            told.live()
    except Exception as error:  # noqa: BLE001  for each test to tell
        return error
    return told
