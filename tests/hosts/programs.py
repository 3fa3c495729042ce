"""Programs under test, and what a node saw of them.

A program is a script of its own, run as a program is, that uses ``tests.hosts.inside``.
It writes down what it reached and waits at gates; nothing here sleeps to synchronise.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import tempfile
import textwrap
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import tests
from tests.hosts.needed import lacking
from tests.whole.fleet import WITHIN, Console, Node, NotSeen, Running
from tests.whole.servers import eventually

#: Where the programs find ``tests``; not resolved, lest they find connmon there too.
ROOT = Path(tests.__file__).parent.parent

#: Every warning is an error, but those that Python gives to any program of the kind:
#: what it leaves open is its own affair, and so is forking beside threads (3.12).
WARNINGS = "error,ignore::ResourceWarning,ignore:This process (pid=:DeprecationWarning"

HEAD = "from tests.hosts.inside import *\nimport os, signal, sys, threading, time\n"

#: An address of this machine's, where nobody answers.
SILENT = ("127.53.53.53", 53)

LINK = re.compile(r"client \S+ (\S+)\[(\d+)\] (joined|left)")


class Program(Running):
    """A script that runs in a directory it shares with its test."""

    def __init__(
        self,
        directory: Path,
        url: str,
        script: str,
        *,
        flags: Sequence[str] = ("-X", "dev"),
        env: Mapping[str, str] | None = None,
        by: Sequence[str] = (),
        head: str = HEAD,
    ) -> None:
        """Start it, with ``head`` before it; ``by`` is a command that runs commands."""
        self.directory = directory
        path = directory / "program.py"
        path.write_text(head + textwrap.dedent(script))
        super().__init__(
            [*by, sys.executable, *flags, path],
            env={
                "PYTHONPATH": str(ROOT),
                "PYTHONWARNINGS": WARNINGS,
                "PYTHONDONTWRITEBYTECODE": "1",
                "HOST_URL": url,
                "HOST_DIRECTORY": str(directory),
                **(env or {}),
            },
        )

    def told(
        self, what: str, count: int = 1, within: float = WITHIN
    ) -> list[dict[str, Any]]:
        """Wait until it was told this often; each time's pid and value."""
        deadline = time.monotonic() + within
        while True:
            found = [each for each in self._notes() if each["what"] == what]
            if len(found) >= count:
                return found
            if time.monotonic() > deadline:
                raise NotSeen(
                    f"{what} told {len(found)} times, not {count}; status "
                    f"{self.process.poll()}, and on stderr:\n"
                    + "\n".join(self.err.rest_so_far()[-30:])
                )
            time.sleep(0.01)

    def value(self, what: str) -> Any:
        """What was told last under this name, once it was."""
        return self.told(what)[-1]["value"]

    def open(self, *gates: str) -> None:
        """Let it pass these gates, with its children."""
        for name in gates:
            (self.directory / f"gate-{name}").touch()

    def leaves(self) -> tuple[int, list[str], list[str]]:
        """Wait for its end: status, and all it said on stdout and on stderr."""
        return self.wait(), self.out.rest(), self.err.rest()

    def _notes(self) -> list[dict[str, Any]]:
        try:
            written = (self.directory / "told").read_bytes()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in written.splitlines(keepends=True)]


class HostTestCase(SynchronousTestCase):
    """A node, a console on it, and programs that report there as ``app``."""

    def setUp(self) -> None:
        """A directory, and what must be ended."""
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        made = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.directory = Path(made)
        # Programs that change their user go on using it.
        self.directory.chmod(0o777)
        self.directories = 0

    def start_node(self) -> None:
        """Have a node, and look at it."""
        self.node = self.stack.enter_context(Node())
        self.console = self.stack.enter_context(Console(self.node))

    def watched(self, address: str | None = None, database: str = "") -> str:
        """The URL of a watched database, by default an SQLite file of the test's."""
        database = database or f"sqlite:///{self.directory}/x.db"
        address = address or self.node.address
        return f"{database}?plugin=connmon&connmon_addr={address}&connmon_program=app"

    def start(self, script: str, url: str | None = None, **options: Any) -> Program:
        """Start a program, in a directory of its own."""
        self.directories += 1
        directory = self.directory / str(self.directories)
        directory.mkdir()
        directory.chmod(0o777)
        url = self.watched() if url is None else url
        program = Program(directory, url, script, **options)
        return self.stack.enter_context(program)

    def shows(self, **figures: Any) -> dict[str, Any]:
        """Wait until the node shows ``app`` with these figures."""
        return self.console.shows("app", **figures)

    def links(self) -> dict[int, list[str]]:
        """What the node's log says of each process so far: ``joined``, ``left``."""
        found: dict[int, list[str]] = {}
        for line in self.node.err.rest_so_far():
            seen = LINK.search(line)
            if seen and seen[1] == "app":
                found.setdefault(int(seen[2]), []).append(seen[3])
        return found

    def linked(self, expected: dict[int, list[str]]) -> None:
        """The node's log says this of all processes, and comes to say it soon."""
        eventually(lambda: self.links() == expected, 5.0)
        self.assertEqual(expected, self.links())

    def ends_well(self, program: Program) -> None:
        """The program ends by itself, with status 0 and nothing to say."""
        self.assertEqual((0, [], []), program.leaves())

    def behind_silence(self) -> list[str]:
        """A command that runs another, whose name server never answers.

        It gives up after ten seconds, as the resolver does by default.
        """
        if not as_root():
            lacking("not root, so no other resolv.conf can be mounted")
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.stack.enter_context(silent).bind(SILENT)
        resolver = self.directory / "resolv.conf"
        resolver.write_text(f"nameserver {SILENT[0]}\n")
        mount = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        return ["unshare", "-m", "sh", "-c", mount, str(resolver)]


def as_root() -> bool:
    """Whether this may change users, roots and mounts."""
    return os.geteuid() == 0
