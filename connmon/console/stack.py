"""``connmon stack``: where the holders of a process's connections are now."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from connmon.config import AnyAddress
from connmon.console import holders, stream, terminal
from connmon.console.command import complain, ended, warn
from connmon.console.freshness import no_daemon
from connmon.console.holders import NoStacks, Whose
from connmon.console.link import Failed, Uplink
from connmon.console.options import Target, add_target, joined, target
from connmon.console.text import UNICODE, Glyphs
from connmon.model.stacks import Found
from connmon.views.frame import Frame
from connmon.views.query import Query
from connmon.wire.reactor import steady_reactor

PULSE = Query(limit=0)
"""What is asked for besides, to know that a node is there: no rows."""

PULSE_SECONDS = 1.0


def main(argv: Sequence[str], program: str) -> int:
    """Ask a node, and print what it says; the exit status."""

    def asked() -> int:
        nodes, whose, form = parse(argv, program)
        warn(program, nodes.warnings)
        return _print(nodes, whose, form, program)

    return ended(program, asked)


def parse(argv: Sequence[str], program: str) -> tuple[Target, Whose, str]:
    """Which nodes to ask, for whom, and how to write it: ``json`` or ``text``.

    A bad option ends the program with status 2; raises ``ConfigError`` for a bad
    config, or a service or node that it lacks.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description="Where those are now who have a process's connections.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "whose",
        metavar="HOST:PID[:CONNECTION]",
        help="all connections of a process that are out, or one by its number",
    )
    add_target(parser)
    group = parser.add_argument_group("what to show")
    group.add_argument(
        "--process",
        metavar="TOKEN",
        help="of several processes of that host and pid, the one of this token",
    )
    group.add_argument(
        "--json", action="store_true", help="one JSON object for each, on one line"
    )
    given = parser.parse_args(joined(argv))
    try:
        whose = holders.parse(given.whose)
    except ValueError as error:
        parser.error(f"{given.whose[:80]!r}: {error}")
    whose = whose._replace(process=given.process)
    return target(parser, given), whose, "json" if given.json else "text"


def _print(nodes: Target, whose: Whose, form: str, program: str) -> int:
    glyphs = terminal.glyphs(dict(os.environ))
    status, said = ask(steady_reactor(), nodes, whose, form, glyphs)
    if status == 0:
        stream.write(said)
    elif said:
        complain(program, said)
    return status


def ask(
    reactor: Any, nodes: Target, whose: Whose, form: str, glyphs: Glyphs
) -> tuple[int, str]:
    """Ask one of the nodes; the exit status, and the answer or why there is none.

    A signal ends it with a status of its own, and nothing to be said.
    """
    ended: dict[int, str] = {}

    def asked(stop: Callable[[int], None]) -> Uplink:
        def end(status: int, text: str) -> None:
            ended.setdefault(status, text)
            stop(status)

        asker = Asker(whose, form, glyphs, end)
        asker.uplink = Uplink(reactor, asker, nodes, Random())
        asker.uplink.watch((PULSE,), PULSE_SECONDS)
        return asker.uplink

    status = stream.until_stopped(reactor, asked)
    return status, ended.get(status, "")


class Asker:
    """A viewer that asks one question, as soon as there is a node."""

    uplink: Uplink

    def __init__(
        self,
        whose: Whose,
        form: str,
        glyphs: Glyphs,
        end: Callable[[int, str], None],
    ) -> None:
        """Call ``end`` with the exit status and what is to be said."""
        self._whose = whose
        self._form = form
        self._glyphs = glyphs
        self._end = end
        self._asked: Deferred[Any] | None = None

    def shown(
        self, frames: tuple[Frame, ...], number: int, origin: str, at: float
    ) -> None:
        """A node is there."""
        if self._asked is None:
            self._asked = self.uplink.stacks(self._whose)
            self._asked.addCallback(self._told).addErrback(self._failed)

    def refused(self, reason: str, number: int) -> None:
        """The node does not even understand whether it is there."""
        self._end(1, reason)

    def warned(self, text: str) -> None:
        """There is nothing to be warned of."""

    noted = warned

    def lost(self, failed: Failed) -> None:
        """The node went away; the question has failed by that."""

    def trying(self, address: AnyAddress, wait: float) -> None:
        """Nobody needs to know."""

    def exhausted(self, tried: tuple[Failed, ...]) -> bool:
        """No node is there."""
        self._end(1, no_daemon(tried))
        return False

    def _told(self, found: tuple[Found, ...]) -> None:
        """It was answered."""
        lacking = self._lacking(found)
        if lacking:
            self._end(1, lacking)
        else:
            self._end(
                0,
                as_json(found[0])
                if self._form == "json"
                else as_text(found[0], self._glyphs),
            )

    def _lacking(self, found: tuple[Found, ...]) -> str:
        lacking = holders.lacking(found, self._whose, self._glyphs)
        several = len(found) > 1
        return f"{lacking}; choose one with --process" if several else lacking

    def _failed(self, failure: Failure) -> None:
        failure.trap(NoStacks)
        self._end(1, failure.getErrorMessage())


def as_text(found: Found, glyphs: Glyphs = UNICODE) -> str:
    """The stacks of a process, to be read by people."""
    return "".join(f"{line}\n" for line in holders.lines(found, glyphs))


def as_json(found: Found) -> str:
    """One line for each of its connections that is out."""
    return "".join(
        json.dumps(each, allow_nan=False) + "\n" for each in holders.objects(found)
    )
