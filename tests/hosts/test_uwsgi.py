"""uWSGI, which forks in C: no hook of Python's runs, its master has no thread."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.hosts.needed import lacking
from tests.hosts.serving import Command, HostTestCase, Pair
from tests.whole.fleet import BIN

THREADLESS = BIN.parent / "threadless" / "bin" / "uwsgi"
"""A uWSGI that gives the program's threads no turn unless told to, as Debian 12's."""


def threadless() -> Path:
    """That uWSGI's program; skips, or fails, the test where there is none."""
    if sys.version_info >= (3, 13):
        raise SkipTest("no uWSGI without threads was made for this Python")
    if not THREADLESS.exists():
        lacking("not installed here: uWSGI 2.0.26, beside the newer one")
    return THREADLESS


def uwsgi(*options: str, program: Path = BIN / "uwsgi") -> Command:
    """The command that serves the application by two workers and a master."""

    def command(port: int) -> list[str | Path]:
        return [
            *(program, "--http-socket", f"127.0.0.1:{port}"),
            *("--master", "--processes", "2", "--die-on-term", "--disable-logging"),
            *("--virtualenv", sys.prefix, "--module", "tests.hosts.webapp"),
            *options,
        ]

    return command


class UWSGITests(HostTestCase):
    """Two workers and their master."""

    usual = 1.0

    def setUp(self) -> None:
        """Ask for uWSGI."""
        if not (BIN / "uwsgi").exists():
            lacking("not installed here: uWSGI")
        super().setUp()

    def live(self, command: Command, used: bool = False) -> Pair:
        """A life: work, connections held, a reload, a worker killed, the end."""
        env = {"USED_IN_MASTER": "1"} if used else {}
        pair = self.serve(command, **env)
        pair.each(lambda server: [server.ask("/hold") for _ in range(3)])
        self.check_state(pair)
        workers, former = pair.watched.workers(2), pair.control.workers(2)
        self.agree(pair.watched)

        pair.each(lambda server: server.process.send_signal(signal.SIGHUP))
        pair.control.workers(2, but=former)
        workers = pair.watched.workers(2, but=workers)
        pair.watched.only(workers)
        self.agree(pair.watched)

        self.check_loss(pair, workers)
        self.check_end(pair)
        return pair

    def test_prefork(self) -> None:
        """The application is loaded in the master."""
        self.live(uwsgi())

    def test_prefork_used_in_the_master(self) -> None:
        """What the master has is the one thing that is not reported."""
        self.live(uwsgi(), used=True)

    def test_threads(self) -> None:
        """Workers with threads."""
        self.live(uwsgi("--threads", "2"), used=True)

    def test_lazy_apps(self) -> None:
        """Each worker loads the application itself."""
        self.live(uwsgi("--lazy-apps"))

    def test_threads_enabled(self) -> None:
        """The older uWSGI, told that there are threads, gives ours its turn."""
        self.live(uwsgi("--enable-threads", program=threadless()), used=True)

    def test_without_threads(self) -> None:
        """Where our thread would get no turn there is none, and one line to say so."""
        pair = self.serve(uwsgi(program=threadless()))
        pair.each(lambda server: [server.ask("/hold") for _ in range(3)])
        self.check_state(pair)
        workers = pair.watched.workers(2)
        threads = [os.listdir(f"/proc/{worker}/task") for worker in workers]
        self.assertEqual([1, 1], [len(each) for each in threads])
        self.check_time(pair)
        new = pair.watched.noted() - pair.control.noted()
        self.assertEqual(1, len(new), new)
        self.assertIn("--enable-threads", new.pop())
        self.assertEqual([], self.links("joined"))
