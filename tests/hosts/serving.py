"""Real servers in pairs, one watched and one not, and what is to be true of them.

Both run the same application (``tests/hosts/webapp.py``) side by side and are asked and
told the same, so what differs between them is ours. What the workers say of their own
pools is the truth that the node's figures are compared with.
"""

from __future__ import annotations

import json
import os
import re
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.whole.fleet import WITHIN, Console, Node, Running
from tests.whole.servers import eventually, free_port

ROOT = Path(__file__).absolute().parents[2]
"""Where the package ``tests`` is to be seen, by whatever link."""

SLACK = 0.5
"""How many seconds longer than its control a server may take to end."""

TRIES = 3
"""How often they are compared before the difference is taken for ours."""

MASTER = {"open": 2, "used": 1}
"""What a master has of its own where the application was told to use it there."""

Told = dict[str, Any]
Command = Callable[[int], list[str | Path]]


class Server(Running):
    """A server with its workers: asked for answers, and certain to end with all."""

    def __init__(self, command: Command, env: Mapping[str, str], place: Path) -> None:
        """Start it on a port of its own; ``place`` is its home."""
        self.port = free_port()
        place.mkdir()
        super().__init__(
            # A session of its own, so that orphans can be found.
            ["setsid", *command(self.port)],
            env={
                "PYTHONPATH": str(ROOT),
                "PYTHONWARNINGS": "default,ignore::ResourceWarning",
                "HOME": str(place),
                "PLACE": str(place),
                **env,
            },
            cwd=place,
        )
        #: What each living process said last of its pool.
        self.told: dict[int, Told] = {}

    def ask(self, path: str = "/") -> Told:
        """The answer to one request."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=WITHIN)
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            told: Told = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        self.told[told["pid"]] = told
        return told

    def heard(self) -> set[int]:
        """Who answers if something is asked now."""
        return {self.ask()["pid"]}

    def ready(self) -> None:
        """Wait until it can be asked."""
        if not eventually(self._answers, WITHIN):
            said = "\n".join(self.err.rest_so_far()[-15:])
            raise AssertionError(f"the server does not answer:\n{said}")

    def _answers(self) -> bool:
        try:
            self.ask()
        except (OSError, HTTPException, ValueError):
            return False
        return True

    def workers(self, number: int, but: Iterable[int] = ()) -> set[int]:
        """Ask until so many workers, none of ``but``, have answered; who they are.

        What others said before is forgotten with them.
        """
        known = set(but)
        seen: set[int] = set()

        def found() -> bool:
            # A worker that is being replaced may drop what it was asked.
            with suppress(OSError, HTTPException):
                seen.update(self.heard())
            return len(seen - known) == number

        if not eventually(found, WITHIN):
            raise AssertionError(f"{seen} answered, {number} wanted beside {known}")
        return seen - known

    def only(self, pids: Iterable[int]) -> None:
        """Forget what all others said: they are gone."""
        self.told = {pid: self.told[pid] for pid in pids}

    def children(self) -> set[int]:
        """The processes it has forked and not yet buried."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/children")
        return {int(pid) for each in tasks for pid in each.read_text().split()}

    def lose(self, worker: int) -> None:
        """Have a worker killed, and see that there is another."""
        before = self.children()
        os.kill(worker, signal.SIGKILL)

        def replaced() -> bool:
            children = self.children()
            return worker not in children and bool(children - before)

        if not eventually(replaced, WITHIN):
            raise AssertionError(f"{worker} was not replaced: {self.children()}")

    def ended(self) -> bool:
        """Whether the server's first process has ended."""
        return self.process.poll() is not None

    def end(self) -> None:
        """End it and whatever it has started, the hard way."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        super().end()

    def noted(self) -> set[str]:
        """The kinds of lines it wrote, numbers left out; once it has ended."""
        lines = [*self.out.rest(), *self.err.rest()]
        return {re.sub("0x[0-9a-f]+|[0-9]+", "#", line) for line in lines}


@dataclass(frozen=True)
class Pair:
    """The same server twice: with us, and without."""

    watched: Server
    control: Server
    #: Starts such a pair once more.
    again: Callable[[], Pair]

    def each(self, do: Callable[[Server], object]) -> None:
        """Do the same to both."""
        do(self.control)
        do(self.watched)


class HostTestCase(SynchronousTestCase):
    """A node, a console, and pairs of servers that report to it, or do not."""

    #: Seconds such a server takes to end on a machine that has nothing else to do.
    usual: ClassVar[float] = 0.4

    #: Lines that a server of this kind writes or does not by chance.
    chance: ClassVar[re.Pattern[str]] = re.compile(r"(?!)")

    def setUp(self) -> None:
        """Start the node and the console."""
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.directory = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.node = self.stack.enter_context(Node())
        self.console = self.stack.enter_context(Console(self.node))
        self.places = (self.directory / str(number) for number in count(1))

    def urls(self) -> tuple[str, str]:
        """The database's URL with us and without; SQLite unless a test says more."""
        place = f"{self.directory}/x.db"
        ours = f"?connmon_addr={self.node.address}&connmon_program=app"
        return f"sqlite+pysqlite_connmon:///{place}{ours}", f"sqlite:///{place}"

    def start(
        self, command: Command, env: Mapping[str, str], kind: type[Server] = Server
    ) -> Pair:
        """A pair of servers of a kind, just started."""
        watched, control = (
            self.stack.enter_context(
                kind(command, {"DATABASE_URL": url, **env}, next(self.places))
            )
            for url in self.urls()
        )
        return Pair(watched, control, lambda: self.start(command, env, kind))

    def serve(self, command: Command, **env: str) -> Pair:
        """A pair of web servers that answer."""
        pair = self.start(command, env)
        pair.each(Server.ready)
        return pair

    def agree(self, server: Server) -> None:
        """The node's figures become those that the living processes gave."""
        told = server.told.values()
        self.console.shows(
            "app",
            nproc=len(told),
            conn=sum(each["open"] for each in told),
            ckout=sum(each["used"] for each in told),
        )

    def links(self, word: str) -> list[int]:
        """The processes that ``joined`` or ``left``, once for each of their links."""
        pattern = re.compile(rf" client \S+ app\[(\d+)\] {word}")
        found = map(pattern.search, self.node.err.rest_so_far())
        return sorted(int(each[1]) for each in found if each)

    def check_loss(self, pair: Pair, workers: set[int]) -> None:
        """One of the workers is killed: nothing but what it had is missed."""
        for server in (pair.control, pair.watched):
            server.lose(min(workers if server is pair.watched else server.workers(2)))
        left = set(pair.watched.told) - {min(workers)}
        now = pair.watched.workers(2, but=[min(workers)])
        pair.watched.only(left | now)
        self.agree(pair.watched)
        self.assertEqual(set(), left & {*self.links("left")})

    def check_state(self, pair: Pair) -> None:
        """All that is a process's own is as it is without us."""
        control, watched = pair.control.ask("/state"), pair.watched.ask("/state")
        self.assertEqual(control["answer"], watched["answer"])

    def check_end(self, pair: Pair) -> None:
        """Both end as they are asked to: alike, as fast, in silence, and are gone."""
        self.check_time(pair)
        self.assertEqual(pair.control.wait(), pair.watched.wait())
        new = pair.watched.noted() - pair.control.noted()
        self.assertEqual([], [line for line in new if not self.chance.search(line)])
        self.console.shows("app", nproc=0, conn=0, ckout=0, connected=False)
        # One link for each process, and none that came back.
        joined = self.links("joined")
        self.assertEqual(sorted(set(joined)), joined)
        self.assertEqual(joined, self.links("left"))

    def check_time(self, pair: Pair, more: float = 0.0) -> None:
        """The end takes no longer with us, or no more than ``more`` seconds longer.

        On a machine that is busy it does by chance, in proportion; what is ours is
        there each time.
        """
        for attempt in range(1, TRIES + 1):
            took = self.stop(pair)
            slack = SLACK * max(1.0, took.control / self.usual)
            if took.watched < took.control + more + slack:
                return
            if attempt < TRIES:
                pair = pair.again()
                pair.each(Server.ready)
                pair.each(lambda server: server.workers(2))
        self.fail(f"{TRIES} times it took longer, the last time {took}")

    def stop(self, pair: Pair) -> Took:
        """Ask both to end, at once; how long each took."""
        began = time.monotonic()
        ends: dict[Server, float] = {}

        def both_ended() -> bool:
            for server in (pair.control, pair.watched):
                if server.ended():
                    ends.setdefault(server, time.monotonic() - began)
            return len(ends) == 2

        pair.each(lambda server: server.process.send_signal(signal.SIGTERM))
        self.assertTrue(eventually(both_ended, WITHIN), "did not end")
        return Took(ends[pair.watched], ends[pair.control])


@dataclass(frozen=True)
class Took:
    """How long the end of each of a pair took, in seconds."""

    watched: float
    control: float
