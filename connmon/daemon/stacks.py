"""Whom to ask where the holders of connections are, and what that comes to.

A process that is linked to this node is asked over its link, one that is linked to
another over the link to that node. What cannot be asked is said in words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from connmon.daemon.inquiry import Inquiry
from connmon.model.board import Board
from connmon.model.process import Process
from connmon.model.records import Home
from connmon.model.stacks import MOST_FOUND, Found, Told

MOST_RELAYED = 100
"""How many questions may be under way to other nodes at once."""

FORBIDDEN = "its stacks are not to be had (connmon_stacks=off)"
FORBIDDEN_HERE = "node {node} tells no stacks (connmon_stacks=off)"
TOO_OLD = "its stacks are not to be had: its connmon is of an older version"
ENDED = "it has ended"
CROWDED = "too many ask for stacks"

Relay = Callable[[Home, str, "int | None"], "Deferred[tuple[Found, ...]]"]
"""Asks another node for a process that is linked to it.

Fires with its answer; fails with ``Unreached``.
"""


class Unreached(Exception):
    """A node cannot be asked; the text says why, after its name."""


class Stacks:
    """A node's answers."""

    def __init__(self, clock: Any, board: Board, allowed: bool, relay: Relay) -> None:
        """``allowed`` is whether the node's configuration lets it ask at all."""
        self._clock = clock
        self._board = board
        self._allowed = allowed
        self._relay = relay
        self._relayed = 0
        #: The processes linked here that can be asked, or why not, by their tokens.
        self._linked: dict[str, Inquiry | str] = {}

    # Who is linked here.

    def linked(self, token: str, inquiry: Inquiry | str) -> None:
        """A process registered: how to ask it, or why that cannot be."""
        self._linked[token] = inquiry

    def left(self, token: str, inquiry: Inquiry | str) -> None:
        """Its link ended; a newer one's way to ask is not touched."""
        if isinstance(inquiry, Inquiry):
            inquiry.end()
        if self._linked.get(token) is inquiry:
            del self._linked[token]

    # Who asks.

    def of_pid(
        self, hostname: str, pid: int, number: int | None
    ) -> Deferred[tuple[Found, ...]]:
        """Ask the process of that number; if there are several, none of them."""
        wanted = (hostname, pid)
        known = [
            each
            for each in self._board.processes.values()
            if (each.identity.hostname, each.identity.pid) == wanted
        ]
        live = [each for each in known if each.live]
        if len(live) > 1:
            found = (self._unasked(each) for each in live[:MOST_FOUND])
            return succeed(tuple(found))
        if live:
            return self._of(live[0], number)
        return succeed(tuple(self._unasked(each, ENDED) for each in known[-1:]))

    def of_process(
        self, token: str, number: int | None, *, own: bool = False
    ) -> Deferred[tuple[Found, ...]]:
        """Ask the process of that token; nothing is found if there is none.

        With ``own`` only one that is linked here is meant: another node asks.
        """
        process = self._board.processes.get(token)
        if process is None or (own and process.home != self._board.home):
            return succeed(())
        return self._of(process, number)

    def _of(self, process: Process, number: int | None) -> Deferred[tuple[Found, ...]]:
        """Ask a process, by whichever way leads there."""
        if not self._allowed:
            why = FORBIDDEN_HERE.format(node=self._board.home.node)
            return succeed((self._unasked(process, why),))
        if not process.live:
            return succeed((self._unasked(process, ENDED),))
        if process.home == self._board.home:
            return self._ask(process, number)
        return self._pass_on(process, number)

    def _ask(self, process: Process, number: int | None) -> Deferred[tuple[Found, ...]]:
        """Ask a process that is linked here."""
        inquiry = self._linked.get(process.identity.process, ENDED)
        if isinstance(inquiry, str):
            return succeed((self._unasked(process, inquiry),))
        who, node = process.identity, process.home.node
        asked = inquiry.asked(number)
        return asked.addCallback(lambda told: (Found(who, node, told),))

    def _pass_on(
        self, process: Process, number: int | None
    ) -> Deferred[tuple[Found, ...]]:
        """Ask the node that it is linked to."""
        if self._relayed >= MOST_RELAYED:
            return succeed((self._unasked(process, CROWDED),))
        self._relayed += 1
        unasked = self._unasked(process)
        asked = self._relay(process.home, process.identity.process, number)
        asked.addBoth(self._passed_on)
        return asked.addCallbacks(
            lambda found: self._checked(found, unasked),
            lambda failure: (_because(unasked, failure),),
        )

    def _passed_on(self, result: Any) -> Any:
        self._relayed -= 1
        return result

    def _checked(self, found: tuple[Found, ...], unasked: Found) -> tuple[Found, ...]:
        """What another node told, of that process alone."""
        for each in found:
            if each.identity == unasked.identity:
                return (unasked._replace(told=each.told),)
        return (unasked._replace(told=Told(why=ENDED)),)

    def _unasked(self, process: Process, why: str = "") -> Found:
        told = Told(process.checkouts, (), why)
        return Found(process.identity, process.home.node, told)


def _because(unasked: Found, failure: Failure) -> Found:
    """Why a node was not asked."""
    failure.trap(Unreached)
    why = f"its node {unasked.node} {failure.getErrorMessage()}"
    return unasked._replace(told=Told(why=why))
