"""gunicorn: each kind of worker, preloaded or not, through a whole life."""

from __future__ import annotations

import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.hosts.needed import require
from tests.hosts.serving import MASTER, Command, HostTestCase, Pair, Server
from tests.whole import servers
from tests.whole.fleet import BIN, WITHIN
from tests.whole.servers import eventually

RECYCLED = 5
"""After so many requests a worker gives way to another, where that is tested."""


def gunicorn(kind: str, *options: str) -> Command:
    """The command that serves the application by two workers of a kind."""

    def command(port: int) -> list[str | Path]:
        place = ["--bind", f"127.0.0.1:{port}", "--workers", "2"]
        served = "tests.hosts.webapp:application"
        return [BIN / "gunicorn", *place, "--worker-class", kind, *options, served]

    return command


class GunicornTestCase(HostTestCase):
    """Two workers and their master."""

    # What it says of a worker's end depends on the moment.
    chance = re.compile(r"\[INFO\]|\[ERROR\] Worker \(pid:#\) was sent")

    def setUp(self) -> None:
        """Ask for gunicorn."""
        require("gunicorn", "gevent")
        super().setUp()

    def load(self, server: Server) -> None:
        """Ask from several sides at once; every answer is right."""
        with ThreadPoolExecutor(4) as pool:
            answers = [told["answer"] for told in pool.map(server.ask, ["/"] * 40)]
        self.assertEqual([42] * 40, answers)

    def live(self, kind: str, *options: str, used: bool = False) -> Pair:
        """A life: work, connections held, a reload, a worker killed, the end."""
        env = {"USED_IN_MASTER": "1"} if used else {}
        pair = self.serve(gunicorn(kind, *options), **env)
        masters = [pair.watched.pid] if used else []
        pair.watched.told.update((pid, MASTER) for pid in masters)
        pair.each(self.load)
        pair.each(lambda server: [server.ask("/hold") for _ in range(3)])
        self.check_state(pair)
        workers, former = pair.watched.workers(2), pair.control.workers(2)
        self.agree(pair.watched)

        pair.each(lambda server: server.process.send_signal(signal.SIGHUP))
        pair.control.workers(2, but=former)
        workers = pair.watched.workers(2, but=workers)
        pair.watched.ask("/hold")
        pair.watched.only([*masters, *workers])
        self.agree(pair.watched)

        self.check_loss(pair, workers)
        self.check_end(pair)
        return pair

    def recycle(self, kind: str, *options: str) -> None:
        """Workers come and go; each is heard of once, none lingers."""
        limit = ["--max-requests", str(RECYCLED)]
        pair = self.serve(gunicorn(kind, *limit, *options))
        told = pair.watched.told

        def enough() -> bool:
            self.assertEqual(42, pair.watched.ask()["answer"])
            pair.control.ask()
            return len(told) > 4

        self.assertTrue(eventually(enough, WITHIN), told)
        pair.watched.only([pid for pid in told if told[pid]["asked"] < RECYCLED])
        self.agree(pair.watched)
        self.check_end(pair)


class GunicornTests(GunicornTestCase):
    """Workers of processes and threads, with SQLite."""

    def test_sync(self) -> None:
        """The default."""
        self.live("sync")

    def test_gthread(self) -> None:
        """Workers with threads."""
        self.live("gthread", "--threads", "4")

    def test_sync_preloaded(self) -> None:
        """The engine is made in the master, and used by the workers alone."""
        self.live("sync", "--preload")

    def test_sync_used_in_the_master(self) -> None:
        """The master has connections, a thread and a link of its own as it forks."""
        self.live("sync", "--preload", used=True)

    def test_gthread_used_in_the_master(self) -> None:
        """The same, and workers with threads."""
        self.live("gthread", "--threads", "4", "--preload", used=True)

    def test_sync_with_a_stopped_node(self) -> None:
        """Each worker waits for it half a second at its end, and not longer."""
        pair = self.serve(gunicorn("sync"))
        pair.each(lambda server: server.workers(2))
        self.agree(pair.watched)
        self.node.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.node.process.send_signal, signal.SIGCONT)
        self.check_time(pair, 0.5)

    def test_sync_recycled(self) -> None:
        """Workers that end after a few requests."""
        self.recycle("sync")

    def test_gthread_recycled(self) -> None:
        """The same with threads, and the application loaded by the master."""
        self.recycle("gthread", "--preload")


class GeventTests(GunicornTestCase):
    """Workers of greenlets, with a driver that gives way, and a real database."""

    usual = 0.8

    def urls(self) -> tuple[str, str]:
        """A database asked by PyMySQL."""
        url = servers.mariadb().url("pymysql")
        ours = f"connmon_addr={self.node.address}&connmon_program=app"
        return f"{url}?plugin=connmon&{ours}", url

    def test_gevent(self) -> None:
        """Each is patched before it loads the application."""
        self.live("gevent")

    def test_gevent_used_in_the_master(self) -> None:
        """The engine was made, and used, before the worker was patched."""
        self.live("gevent", "--preload", used=True)

    def test_gevent_recycled(self) -> None:
        """Workers that end after a few requests."""
        self.recycle("gevent")
