"""Celery's prefork workers, with a directory for a broker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.hosts.needed import require
from tests.hosts.serving import (
    MASTER,
    ROOT,
    Command,
    HostTestCase,
    Pair,
    Server,
    Told,
    Took,
)
from tests.whole.fleet import BIN, Application

RECYCLED = 5
"""After so many tasks a child gives way to another, where that is tested."""

#: What puts tasks in the queue, all at once, and waits for their results.
CLIENT = """
from tests.hosts.tasks import asked
def ask(path, count):
    results = [asked.delay(path) for _ in range(count)]
    return [result.get(timeout=20, interval=0.02) for result in results]
"""


def worker(*options: str) -> Command:
    """The command for a worker that forks two children and keeps to itself."""
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    pool = ["--pool", "prefork", "--concurrency", "2"]
    command: list[str | Path] = [BIN / "celery", "-A", "tests.hosts.tasks", "worker"]
    return lambda port: [*command, *quiet, *pool, *options]


class Worker(Server):
    """A worker that is asked by way of its broker."""

    def __init__(self, command: Command, env: Mapping[str, str], place: Path) -> None:
        """Start it, and the client beside it."""
        super().__init__(command, env, place)
        url = {"DATABASE_URL": "sqlite://", "PLACE": str(place)}
        path = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": ""}
        self.client = Application(CLIENT, {**url, **path})

    def all(self, path: str, count: int) -> list[Told]:
        """The results of so many tasks, done in no order, by order of each child's."""
        results = map(json.loads, self.client.do(f"ask({path!r}, {count})"))
        told = sorted(results, key=lambda each: int(each["asked"]))
        self.told.update((each["pid"], each) for each in told)
        return told

    def ask(self, path: str = "/") -> Told:
        """The result of one task."""
        return self.all(path, 1)[0]

    def heard(self) -> set[int]:
        """Who does some tasks that come at once."""
        return {each["pid"] for each in self.all("/", 4)}

    def end(self) -> None:
        """End the worker, its children and the client, the hard way."""
        super().end()
        self.client.end()


class CeleryTests(HostTestCase):
    """One worker with two children."""

    usual = 4.5

    def setUp(self) -> None:
        """Ask for Celery."""
        require("celery")
        super().setUp()

    def work(self, *options: str, used: bool = False) -> Pair:
        """A pair of workers that have done something, and go on."""
        env = {"USED_IN_MASTER": "1"} if used else {}
        pair = self.start(worker(*options), env, Worker)
        for server in (pair.control, pair.watched):
            assert isinstance(server, Worker)
            answers = [told["answer"] for told in server.all("/", 20)]
            self.assertEqual([42] * 20, answers)
        return pair

    def stop(self, pair: Pair) -> Took:
        """The same, just after both have had a task.

        A worker looks up from an empty queue every two seconds: both then do at once.
        """
        pair.each(lambda server: server.ask())
        return super().stop(pair)

    def test_prefork(self) -> None:
        """The master has connections, a thread and a link of its own as it forks.

        No child is killed: with a broker that is polled it may take its siblings' lock
        to the grave, without us as well.
        """
        pair = self.work(used=True)
        master = pair.watched.pid
        pair.watched.told[master] = MASTER
        pair.each(lambda server: [server.ask("/hold") for _ in range(3)])
        self.check_state(pair)
        pair.watched.workers(2)
        self.agree(pair.watched)
        self.check_end(pair)

    def test_recycled(self) -> None:
        """Children that end after a few tasks, by ``os._exit``."""
        pair = self.work("--max-tasks-per-child", str(RECYCLED))
        told = pair.watched.told
        self.assertGreaterEqual(len(told), 4)
        pair.watched.only([pid for pid in told if told[pid]["asked"] < RECYCLED])
        self.agree(pair.watched)
        self.check_end(pair)
