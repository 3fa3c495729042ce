"""Servers watched as a whole: by ``python -m connmon.attach``, with a URL of their own.

The control is the same server without it, on the same URL.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.hosts.needed import require
from tests.hosts.serving import Command, HostTestCase, Pair, Server
from tests.hosts.test_gunicorn import GunicornTestCase, gunicorn
from tests.hosts.test_uvicorn import uvicorn


class AttachedTestCase(HostTestCase):
    """Pairs of which one is attached to, and neither names us."""

    def urls(self) -> tuple[str, str]:
        """The same for both."""
        return 2 * (f"sqlite:///{self.directory}/x.db",)

    def start(
        self, command: Command, env: Mapping[str, str], kind: type[Server] = Server
    ) -> Pair:
        """A pair of servers of a kind, just started."""

        def attached(port: int) -> list[str | Path]:
            ours = ["--addr", self.node.address, "--program", "app", "--"]
            words: list[str | Path] = [sys.executable, "-m", "connmon.attach", *ours]
            return [*words, *command(port)]

        ours, bare = self.urls()
        watched, control = (
            self.stack.enter_context(
                kind(each, {"DATABASE_URL": url, **env}, next(self.places))
            )
            for each, url in ((attached, ours), (command, bare))
        )
        return Pair(watched, control, lambda: self.start(command, env, kind))


class GunicornTests(AttachedTestCase, GunicornTestCase):
    """gunicorn, whose workers are forked."""

    def test_sync(self) -> None:
        """Each worker makes an engine of its own."""
        self.live("sync")

    def test_sync_used_in_the_master(self) -> None:
        """The engine is the master's, and used there before the workers are forked."""
        self.live("sync", "--preload", used=True)

    def test_gevent(self) -> None:
        """Each worker patches what we have not imported yet."""
        self.live("gevent")


class UvicornTests(AttachedTestCase):
    """uvicorn, whose workers are started anew."""

    def setUp(self) -> None:
        """Ask for uvicorn."""
        require("uvicorn")
        super().setUp()

    def test_workers(self) -> None:
        """They are watched as their parent would be."""
        pair = self.serve(uvicorn)
        pair.each(lambda server: [server.ask("/hold") for _ in range(3)])
        self.check_state(pair)
        workers = pair.watched.workers(2)
        self.agree(pair.watched)
        self.check_loss(pair, workers)
        self.check_end(pair)


class DisabledTests(AttachedTestCase):
    """``CONNMON_DISABLE=1`` in the environment of a server."""

    def test_gunicorn(self) -> None:
        """It runs as ever, and the node hears nothing."""
        require("gunicorn")
        pair = self.start(gunicorn("sync"), {"CONNMON_DISABLE": "1"})
        pair.each(Server.ready)
        self.check_state(pair)
        self.assertEqual([], self.console.frame()["programs"])
        pair.each(lambda server: server.process.send_signal(signal.SIGTERM))
        self.assertEqual(pair.control.wait(), pair.watched.wait())
        self.assertEqual([], self.links("joined"))
