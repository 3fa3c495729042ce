"""The processes of a benchmark: the measured ones, nodes, and whoever looks at them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

WITHIN = 30.0
"""Seconds after which a thing that must happen has not."""


_LEFT_OUT = ("CONNMON_", "PYTHONDONTWRITEBYTECODE")
"""Settings that would change what is measured: compiling takes memory and time."""


class Failed(Exception):
    """A measured process could not do what it was told; the text is its own."""


class Process:
    """A process that is gone when its context ends."""

    def __init__(self, *command: str, **options: Any) -> None:
        """Start ``command``, in this environment without connmon's own settings."""
        environ = {k: v for k, v in os.environ.items() if not k.startswith(_LEFT_OUT)}
        environ.update(options.pop("env", {}))
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, text=True, env=environ, **options
        )

    def end(self) -> None:
        """Have it end, if it still runs."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        """The running process."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.end()


class Worker(Process):
    """A measured process: one module of ``benchmarks.inside``, taking orders."""

    def __init__(self, module: str, path: str = "") -> None:
        """``path`` is one more directory to import from."""
        paths = [path, os.environ.get("PYTHONPATH", "")]
        #: What it says beside its answers: told only if it ends.
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed by end()
        super().__init__(
            *(sys.executable, "-m", f"benchmarks.inside.{module}"),
            stdout=subprocess.PIPE,
            stderr=self._said,
            bufsize=1,
            env={"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )

    def ask(self, order: str, **arguments: Any) -> Any:
        """Have it do something, and wait for the answer; raises ``Failed``."""
        self.tell(order, **arguments)
        return self.answer()

    def tell(self, order: str, **arguments: Any) -> None:
        """Have it do something while others do; ``answer`` has to follow."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([order, arguments]) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        """Wait for the answer to what it was told."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self._said.seek(0)
            raise Failed(f"a measured process ended: {self._said.read()[-2000:]}")
        error, value = json.loads(line)
        if error:
            raise Failed(error)
        return value

    def end(self) -> None:
        """Have it end, and forget what it said."""
        super().end()
        self._said.close()


class Daemon(Process):
    """``connmond`` with some options, that listens already."""

    def __init__(self, *options: str) -> None:
        """Start it, and wait until it says that it listens."""
        with tempfile.NamedTemporaryFile() as log:
            super().__init__(*_connmon("daemon"), *options, stderr=log)
            said = Path(log.name).read_text
            eventually(
                lambda: "listens on" in said() or self.process.poll() is not None
            )
            if self.process.returncode is not None:
                raise Failed(f"the node ended: {said()}")


class Node(Daemon):
    """A node on a free port of the loopback interface."""

    def __init__(self) -> None:
        """Start it."""
        (self.address,) = free_addresses(1)
        super().__init__("-H", self.address)

    def await_program(self, program: str) -> None:
        """Wait until the node hears a program's reports of connections."""
        frames = ("--json", "-d", "0.2")
        with Process(
            *_connmon("main"), "-H", self.address, *frames, stdout=subprocess.PIPE
        ) as console:
            assert console.process.stdout is not None
            until = time.monotonic() + WITHIN
            for line in console.process.stdout:
                rows = {row["progname"]: row for row in json.loads(line)["programs"]}
                if program in rows and rows[program]["maxconn"]:
                    return
                if time.monotonic() > until:
                    break
        raise Failed(f"connmon did not report {program} within {WITHIN:g} seconds")

    def stop(self) -> None:
        """Have it hang: its sockets stay, and nobody answers."""
        self.process.send_signal(signal.SIGSTOP)
        status = Path(f"/proc/{self.process.pid}/stat")
        eventually(
            lambda: status.read_text("utf-8").rpartition(")")[2].split()[0] == "T"
        )


def _connmon(command: str) -> tuple[str, str, str]:
    """How to run one of connmon's commands, of the connmon that is imported here."""
    return sys.executable, "-c", f"from connmon.cli import {command}; {command}()"


def free_addresses(count: int) -> list[str]:
    """So many addresses on the loopback interface whose ports nobody has."""
    with ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in found]


def sink() -> socket.socket:
    """A UDP socket that takes datagrams, and drops what is too much; never read."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    return made


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something is so; raises ``Failed`` when it is not for too long."""
    until = time.monotonic() + WITHIN
    while not condition():
        if time.monotonic() > until:
            raise Failed("what was waited for did not come")
        time.sleep(0.02)
