"""``connmon demo``, in a pipe and in a window: it shows life, and leaves nothing."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connmon.demo.main import PROGRAMS
from tests.whole.fleet import BIN, WITHIN, Running, row_of
from tests.whole.servers import eventually, free_port
from tests.whole.window import Window

CONNMON = BIN / "connmon"

LONG = "600"
"""Seconds: more than any test lets a demo live."""

PROCESSES = 7
"""A node, and three programs of three, two and one process."""


def belonging_to(place: Path) -> list[int]:
    """The processes that have this directory on their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            # A process may end while it is looked at; one that only waits to be
            # collected has no command line any more.
            with contextlib.suppress(OSError):
                if os.fsencode(place) in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


class DemoCase(SynchronousTestCase):
    """A demo whose files, and so whose processes, can be told from all others."""

    def setUp(self) -> None:
        """A directory for its temporary directory."""
        self.place = Path(self.mktemp()).resolve()
        self.place.mkdir()
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)

    def demo(self, *options: str, cwd: Path | None = None) -> Running:
        """A demo in a pipe, and no longer than the test."""
        return self.running(CONNMON, "demo", *options, cwd=cwd)

    def running(self, *command: str | Path, cwd: Path | None = None) -> Running:
        """A process whose temporary directory is ours, and no longer than the test."""
        env = {"TMPDIR": str(self.place)}
        return self.stack.enter_context(Running(command, env, cwd))

    def leaves_nothing(self) -> None:
        """No process and no file of the demo is there, or only for a moment."""
        eventually(lambda: self.left() == ([], []), WITHIN)
        self.assertEqual(([], []), self.left())

    def is_complete(self) -> None:
        """All its processes are there, or will be in a moment."""
        eventually(lambda: len(belonging_to(self.place)) == PROCESSES, WITHIN)
        self.assertEqual(PROCESSES, len(belonging_to(self.place)))

    def left(self) -> tuple[list[int], list[str]]:
        """The demo's processes and files."""
        return belonging_to(self.place), os.listdir(self.place)


class PipeTests(DemoCase):
    """Where there is no terminal."""

    def test_frames(self) -> None:
        """A frame each second for so many seconds, status 0, and nothing is left."""
        demo = self.demo("--seconds", "3")
        self.assertEqual(0, demo.wait())
        self.assertEqual(([], []), self.left())
        lines = demo.out.rest()
        frames = [line for line in lines if line.startswith("connmon ")]
        self.assertEqual(3, len(frames))
        self.assertTrue(frames[0].startswith("connmon default@node1 "), frames)
        last = "".join(lines[lines.index(frames[-1]) :])
        for program, _ in PROGRAMS:
            self.assertIn(program, last)
        self.assertEqual([], demo.err.rest())

    def test_killed(self) -> None:
        """``kill -9`` of the demo ends all that it started, and its files go."""
        demo = self.demo("--seconds", LONG)
        demo.out.until(lambda line: "payments" in line)
        self.is_complete()
        demo.process.kill()
        self.leaves_nothing()

    def test_signals(self) -> None:
        """A signal ends it with the status of a shell, and nothing is left."""
        for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            demo = self.demo("--seconds", LONG)
            demo.out.until(lambda line: line.startswith("connmon "))
            demo.process.send_signal(number)
            self.assertEqual(status, demo.wait())
            self.assertEqual(([], []), self.left())
            self.assertEqual([], demo.err.rest())

    def test_closed_pipe(self) -> None:
        """A reader who has had enough ends it, without an error."""
        shell = 'set -o pipefail; "$@" | head -1'
        command = ["bash", "-c", shell, "bash", str(CONNMON), "demo", "--seconds", LONG]
        demo = self.running(*command)
        self.assertEqual(0, demo.wait())
        self.assertEqual((1, []), (len(demo.out.rest()), demo.err.rest()))
        self.assertEqual(([], []), self.left())

    def test_cannot_start(self) -> None:
        """A node that cannot start is one line, status 1, and nothing is left."""
        taker = self.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        address = f"127.0.0.1:{taker.getsockname()[1]}"
        demo = self.demo("--host", address)
        self.assertEqual(1, demo.wait())
        reason = f"connmon: cannot listen on {address}: Address already in use"
        expected = f"connmon demo: the node did not start: {reason}"
        self.assertEqual(([], [expected]), (demo.out.rest(), demo.err.rest()))
        self.assertEqual(([], []), self.left())

    def test_where_it_is_started(self) -> None:
        """The config is found from there; modules that happen to lie there are not."""
        place = Path(self.mktemp()).resolve()
        place.mkdir()
        for name in ("connmon", "queue", "sqlite3"):
            (place / f"{name}.py").write_text("raise SystemExit('the wrong module')")
        (place / "some.cfg").write_text(
            "[connmon_service_x]\nname: shop\nnodes:\n"
            "    a hostname=127.0.0.1:1\n    b hostname=127.0.0.1:2\n"
        )
        options = ["-c", "some.cfg", "-s", "shop", "-n", "b", "--seconds", LONG]
        demo = self.demo(*options, cwd=place)
        demo.out.until(lambda line: line.startswith("connmon shop@b "))
        demo.out.until(lambda line: "payments" in line)


class LifeTests(DemoCase):
    """What the programs do."""

    def test_life(self) -> None:
        """Steady work, pools that run out, and one connection held for long."""
        here = f"127.0.0.1:{free_port()}"
        demo = self.demo("--host", here, "--seconds", LONG)
        demo.out.until(lambda line: line.startswith("connmon "))
        console = self.running(CONNMON, "-H", here, "--json", "-d", "0.3")
        seen: dict[str, list[dict[str, Any]]] = {}

        def alive(line: str) -> bool:
            frame = json.loads(line)
            for name in ("payments", "shop-api", "nightly-report"):
                row = row_of(frame, name)
                if row is not None:
                    seen.setdefault(name, []).append({**row, "time": frame["time"]})
            return len(seen) == 3 and full() and busy() and held()

        def full() -> bool:
            """Two pools of 3 and 2 more have all their connections out."""
            return any((r["conn"], r["ckout"]) == (10, 10) for r in seen["payments"])

        def busy() -> bool:
            return any((r["ckoutpersec"] or 0) > 20 for r in seen["shop-api"])

        def held() -> bool:
            rows = [r for r in seen["nightly-report"] if r["ckout"] == 1]
            return bool(rows) and rows[-1]["time"] - rows[0]["time"] > 2

        console.out.until(alive)
        # Before it is held, it may be seen returned from what programs begin with.
        held_by = [row["ckout"] for row in seen["nightly-report"]]
        self.assertEqual({1}, set(held_by[held_by.index(1) :]))


class WindowTests(DemoCase):
    """Where there is a terminal: the console's screen."""

    def window(self) -> Window:
        """A window in which the demo shows its programs."""
        env = {"TMPDIR": str(self.place)}
        window = self.stack.enter_context(Window([CONNMON, "demo"], env))
        window.shows("connmon default@node1", "payments", "shop-api", "nightly-report")
        return window

    def given_back(self, window: Window) -> None:
        """The terminal is as it was found, and nothing else is left."""
        self.assertEqual(window.found, window.modes())
        self.assertEqual(([], []), self.left())

    def test_quit(self) -> None:
        """``q`` ends all of it."""
        window = self.window()
        self.is_complete()
        window.type(b"q")
        self.assertEqual(0, window.ended())
        self.given_back(window)

    def test_interrupted(self) -> None:
        """So does ^C, which the programs do not get."""
        window = self.window()
        window.type(b"\x03")
        self.assertEqual(0, window.ended())
        self.given_back(window)

    def test_terminated(self) -> None:
        """SIGTERM ends it with the status of a shell."""
        window = self.window()
        window.process.send_signal(signal.SIGTERM)
        self.assertEqual(143, window.ended())
        self.given_back(window)

    def test_window_closed(self) -> None:
        """A window that is closed takes all of it along."""
        window = self.window()
        window.close()
        self.assertEqual(129, window.process.wait(WITHIN))
        self.assertEqual(([], []), self.left())

    def test_killed(self) -> None:
        """``kill -9`` under the screen ends all that the demo started."""
        window = self.window()
        window.process.kill()
        self.leaves_nothing()
