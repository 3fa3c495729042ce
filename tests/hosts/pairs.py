"""A program run twice, watched and not: what differs is our doing.

Event loops are touchy: what a program prints, logs and warns of, how it ends and when,
and what is left of its loop, handlers and hooks are compared with the same program on
the same database without connmon.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.hosts.programs import HostTestCase, Program
from tests.whole.servers import free_port

LATER = 0.1
"""Seconds that a watched program may end later than its control."""

#: Runs a script after something else, for what has to come before its first import.
AFTER = (
    "import runpy, sys, warnings\n"
    "with warnings.catch_warnings():\n"
    "    warnings.simplefilter('ignore')\n"
    "    {first}\n"
    "runpy.run_path(sys.argv[1], run_name='__main__')\n"
)


def after(first: str) -> tuple[str, ...]:
    """The interpreter's flags to run something before a script."""
    return ("-X", "dev", "-c", AFTER.format(first=first))


class Pair:
    """One script, as two processes."""

    def __init__(self, watched: Program, control: Program) -> None:
        """In this order, wherever there are two."""
        self.watched = watched
        self.control = control

    def told(self, what: str) -> tuple[Any, Any]:
        """What both told last under this name, once they did."""
        return self.watched.value(what), self.control.value(what)

    def open(self, *gates: str) -> None:
        """Let both pass."""
        self.watched.open(*gates)
        self.control.open(*gates)


class PairTestCase(HostTestCase):
    """A node, a console on it, and programs in pairs."""

    def setUp(self) -> None:
        """Have a node."""
        super().setUp()
        self.start_node()

    def bare(self, database: str = "") -> str:
        """The URL of a database of the control's own, not watched."""
        return database or f"sqlite:///{self.directory}/bare.db"

    def pair(self, script: str, database: str = "", **options: Any) -> Pair:
        """Start a script twice."""
        return Pair(
            self.start(script, self.watched(database=database), **options),
            self.start(script, self.bare(database), **options),
        )

    def same(self, pair: Pair, *told: str) -> None:
        """Both told the same, but for addresses in memory."""
        for what in told:
            watched, control = pair.told(what)
            self.assertEqual(_alike(control), _alike(watched), what)

    def end_alike(self, pair: Pair) -> None:
        """Both end by themselves, with the same status, and have said the same.

        On standard error there is nothing from either.
        """
        watched, control = pair.watched.leaves(), pair.control.leaves()
        self.assertEqual(_alike(control), _alike(watched))
        self.assertEqual([], watched[2])

    def linked_once(self, *pids: int) -> None:
        """Each process had one link, from its first report to its end."""
        self.assertEqual({pid: ["joined", "left"] for pid in pids}, self.links())

    def ends_in_time(
        self,
        script: str,
        database: str = "",
        gates: Sequence[str] = (),
        later: float = LATER,
        **options: Any,
    ) -> None:
        """It ends no later than its control, with the node up and with none.

        The last thing the script tells is the time, as ``ended``. Other work on this
        machine only ever adds to a time, so the least of a few is compared, and taken
        again before it is believed to be too long. Not in Python's development mode,
        in which the end of a program takes several times as long.
        """
        options.setdefault("flags", ())
        nowhere = self.watched(f"127.0.0.1:{free_port()}", database)
        urls = {
            "bare": self.bare(database),
            "up": self.watched(database=database),
            "down": nowhere,
        }
        least: dict[str, float] = {}
        for turn in range(12):
            for name, url in urls.items():
                program = self.start(script, url, **options)
                program.open(*gates)
                took = _end(program)
                least[name] = min(took, least.get(name, took))
            # Twice, since what Python takes for itself at the end, it takes for our
            # modules too: hardly anything, but on a machine that is very busy.
            bound = 2 * least["bare"] + later
            if turn and max(least.values()) < bound:
                return
        self.fail(f"seconds from the last statement to the end: {least}")


def _end(program: Program) -> float:
    """Seconds from a program's last statement to its end."""
    # Read until the pipe is closed, since waiting with a bound only looks now and then.
    program.out.rest()
    ended = time.monotonic()
    status, _, said = program.leaves()
    assert (status, said) == (0, []), (status, said)
    began: float = program.value("ended")
    return ended - began


def _alike(value: Any) -> str:
    """A value as text, without what differs between two runs of anything."""
    text = json.dumps(value, default=repr, sort_keys=True)
    text = re.sub(r"0x[0-9a-f]{6,}", "0x", text)
    text = re.sub(r"[^ '\"]*/program\.py", "program.py", text)
    return re.sub(r"bare\.db|x\.db\?[^'\" ]*", "x.db", text)


def least_difference(measure: Callable[[], tuple[float, float]], times: int) -> float:
    """How much more the first of two figures is than the second, at the least.

    Of several measurements: other work on this machine may fall on either.
    """
    return min(one - other for one, other in (measure() for _ in range(times)))
