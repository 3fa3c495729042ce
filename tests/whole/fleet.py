"""Real processes for the few whole-system tests: a node, a console, applications.

Each is a context object whose process is gone when the context ends. Nothing here
sleeps to synchronise: a node has said where it listens, an application answers each
order, and a console is read until its frames show what they should.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from math import inf
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from tests.whole.servers import free_port

if TYPE_CHECKING:
    from typing_extensions import Self

WITHIN = 60.0
"""Seconds after which a thing that must happen has not."""

BIN = Path(sys.executable).parent


class NotSeen(AssertionError):
    """What was waited for did not come; the text ends with what came last."""


class Lines:
    """A pipe's lines, read by a thread so that waiting for one can be bounded."""

    def __init__(self, pipe: IO[str]) -> None:
        """Read until the pipe ends."""
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.seen: list[str] = []
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe: IO[str]) -> None:
        with pipe:
            for line in pipe:
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def until(self, wanted: Callable[[str], object], within: float = WITHIN) -> str:
        """The next line that is wanted."""
        deadline = time.monotonic() + within
        while True:
            try:
                line = self._lines.get(timeout=max(deadline - time.monotonic(), 0.001))
            except queue.Empty:
                line = None
            if line is None:
                last = "\n".join(self.seen[-4:])
                raise NotSeen(f"not seen within {within:g} seconds; last:\n{last}")
            self.seen.append(line)
            if wanted(line):
                return line

    def rest(self) -> list[str]:
        """All lines, once the process has ended."""
        self._thread.join(WITHIN)
        return self.rest_so_far()

    def rest_so_far(self) -> list[str]:
        """All lines that have come until now."""
        while not self._lines.empty():
            line = self._lines.get()
            if line is not None:
                self.seen.append(line)
        return self.seen


def ran(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with nothing to read; its status and output."""
    return subprocess.run(
        [str(each) for each in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
        env={**os.environ, "PYTHONPATH": ""},
    )


def fewest(seconds: Callable[[], float], enough: float, tries: int = 10) -> float:
    """How many seconds something takes at best, tried until they are few enough.

    A busy machine holds up any program, now and then: only if it is late each time is
    that its own doing.
    """
    least = inf
    for _ in range(tries):
        least = min(least, seconds())
        if least < enough:
            break
    return least


class Running:
    """One process, its output line by line, and its certain end."""

    def __init__(
        self,
        command: Sequence[str | Path],
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Start ``command`` in ``cwd``, with this process's environment and ``env``."""
        self.process = subprocess.Popen(
            [str(each) for each in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, "PYTHONPATH": "", **(env or {})},
            cwd=cwd,
        )
        assert self.process.stdin and self.process.stdout and self.process.stderr
        self.out = Lines(self.process.stdout)
        self.err = Lines(self.process.stderr)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self.process.pid

    def wait(self, within: float = WITHIN) -> int:
        """Wait for the end; the exit status."""
        return self.process.wait(within)

    def end(self) -> None:
        """End it if it has not, the hard way."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WITHIN)
        if self.process.stdin and not self.process.stdin.closed:
            try:
                self.process.stdin.close()
            except OSError:
                return

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


class Node(Running):
    """A node on a loopback port of its own, that listens already."""

    def __init__(self, port: int | None = None) -> None:
        """``port`` is for a node that takes another's place."""
        self.port = port or free_port()
        super().__init__([BIN / "connmond", "-H", self.address])
        self.err.until(lambda line: "listens on" in line)

    @property
    def address(self) -> str:
        """What ``-H`` and ``connmon_addr`` want."""
        return f"127.0.0.1:{self.port}"


class Console(Running):
    """A console whose frames are read as JSON."""

    def __init__(self, node: Node, delay: float = 0.2) -> None:
        """Look at one node, a few times a second."""
        super().__init__(
            [BIN / "connmon", "-H", node.address, "--json", "-d", f"{delay:g}"]
        )

    def frame(self) -> dict[str, Any]:
        """The next frame."""
        return self.until(lambda frame: True)

    def until(
        self, wanted: Callable[[dict[str, Any]], object], within: float = WITHIN
    ) -> dict[str, Any]:
        """The next frame that is wanted."""
        line = self.out.until(lambda line: wanted(json.loads(line)), within)
        frame: dict[str, Any] = json.loads(line)
        return frame

    def shows(
        self, program: str, within: float = WITHIN, **figures: object
    ) -> dict[str, Any]:
        """Wait until a program's row has these figures; the row."""

        def wanted(frame: dict[str, Any]) -> bool:
            row = row_of(frame, program)
            return row is not None and all(row[k] == v for k, v in figures.items())

        try:
            row = row_of(self.until(wanted, within), program)
        except NotSeen as error:
            raise NotSeen(f"{program} with {figures}: {error}") from None
        assert row is not None
        return row


def row_of(frame: dict[str, Any], program: str) -> dict[str, Any] | None:
    """A program's row in a frame, if it has one."""
    rows = [row for row in frame["programs"] if row["progname"] == program]
    return rows[0] if rows else None


#: An application that does what it is told: a line of Python, and answers with JSON.
APPLICATION = """
import json, os, sys, threading, time, traceback
here = {"os": os, "sys": sys, "threading": threading, "time": time}
exec(sys.argv[1], here)
answers = os.fdopen(os.dup(1), "w", buffering=1)
print(json.dumps(["ready", None]), file=answers)
for order in sys.stdin:
    try:
        order = json.loads(order)
        try:
            code = compile(order, "<order>", "eval")
        except SyntaxError:
            exec(compile(order, "<order>", "exec"), here)
            answer = ["done", None]
        else:
            answer = ["done", eval(code, here)]
    except Exception:
        answer = ["failed", traceback.format_exc()]
    print(json.dumps(answer, default=repr), file=answers)
answers.close()
"""


class Application(Running):
    """A program of its own that uses SQLAlchemy as it is told to.

    ``setup`` is Python that it runs first. An order is Python too: an expression, whose
    value comes back, or statements.
    """

    def __init__(
        self, setup: str, env: Mapping[str, str] | None = None, *flags: str
    ) -> None:
        """Start it; ``flags`` are for the interpreter."""
        super().__init__(
            [sys.executable, *flags, "-c", APPLICATION, setup],
            # What it leaves open is its own affair, and told on some Pythons.
            env={"PYTHONWARNINGS": "error,ignore::ResourceWarning", **(env or {})},
        )
        self._answer()

    def do(self, order: str) -> Any:
        """Have it do something; the value, if the order is an expression."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def leave(self) -> tuple[int, list[str]]:
        """Let it end as programs do; the exit status, and all it said on stderr."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.wait(), self.err.rest()

    def _answer(self) -> Any:
        try:
            kind, value = json.loads(self.out.until(lambda line: True))
        except NotSeen:
            complaint = "\n".join(self.err.rest()[-15:])
            raise NotSeen(f"no answer from the application:\n{complaint}") from None
        if kind == "failed":
            raise AssertionError(value)
        return value
