"""uvicorn with two workers, which it spawns."""

from __future__ import annotations

from pathlib import Path

from tests.hosts.needed import require
from tests.hosts.serving import HostTestCase
from tests.whole.fleet import BIN


def uvicorn(port: int) -> list[str | Path]:
    """The command that serves the application by two workers."""
    return [
        *(BIN / "uvicorn", "tests.hosts.webapp:asgi"),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "2"),
    ]


class UvicornTests(HostTestCase):
    """Two workers and their supervisor."""

    def setUp(self) -> None:
        """Ask for uvicorn."""
        require("uvicorn")
        super().setUp()

    def test_workers(self) -> None:
        """Work, connections held, a worker killed, the end."""
        pair = self.serve(uvicorn)
        pair.each(lambda server: [server.ask("/hold") for _ in range(3)])
        self.check_state(pair)
        workers = pair.watched.workers(2)
        self.agree(pair.watched)
        self.check_loss(pair, workers)
        self.check_end(pair)
