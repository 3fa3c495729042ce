"""What all programs together may ask of each database server.

Programs that have changed are marked, and counted anew when somebody looks: with ten
thousand of them, a look costs what has changed since the last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from connmon.model.extent import Program
from connmon.model.records import MOST
from connmon.model.servers import Claim, Claims, Server


class _Sum:
    """One server's, to which claims are added and from which they are taken."""

    __slots__ = ("_claim", "limits", "programs", "whole")

    def __init__(self) -> None:
        #: Field by field as in a claim, without the limit.
        self.whole = [0] * (len(Claim._fields) - 1)
        self.programs = 0
        self.limits: Counter[int] = Counter()
        self._claim: Claim | None = None

    def add(self, claim: Claim, sign: int) -> None:
        """Add a claim, or take it away again with a ``sign`` of -1."""
        self._claim = None
        for index, value in enumerate(claim[:-1]):
            self.whole[index] += sign * (value or 0)
        self.programs += sign
        if claim.limit is not None:
            self.limits[claim.limit] += sign
            if not self.limits[claim.limit]:
                del self.limits[claim.limit]

    def claim(self) -> Claim:
        """The sum as it is now."""
        if self._claim is None:
            limit = min(self.limits) if self.limits else None
            whole = (min(each, MOST) for each in self.whole)
            self._claim = Claim(*whole)._replace(limit=limit)
        return self._claim


class Ceiling:
    """The claims of all programs, by server."""

    def __init__(self) -> None:
        """Nobody asks for anything."""
        self._told: dict[Program, Claims] = {}
        self._sums: dict[Server, _Sum] = {}
        #: The program of each server that may open the most, where it was asked for.
        self._largest: dict[Server, Program] = {}
        #: Programs that are not as they were told.
        self._stirred: dict[Program, None] = {}

    def stir(self, program: Program) -> None:
        """A program may ask for something else than before."""
        self._stirred[program] = None

    def claims(self) -> dict[Server, Claim]:
        """What is asked of each server, by all programs together."""
        self._settle()
        return {server: each.claim() for server, each in self._sums.items()}

    def programs(self) -> Iterator[tuple[Program, Claims]]:
        """What each program asks of its servers."""
        self._settle()
        return iter(self._told.items())

    def largest(self, server: Server) -> tuple[Program, Claim]:
        """The program that may open the most connections to a server, and its claim.

        The server must be one of those of ``claims``.
        """
        self._settle()
        program = self._largest.get(server)
        if program is None:
            found = (each for each, claims in self._told.items() if server in claims)
            program = max(found, key=lambda each: _size(each, self._told[each][server]))
            self._largest[server] = program
        return program, self._told[program][server]

    def counts(self) -> Mapping[Server, int]:
        """How many programs use each server."""
        self._settle()
        return {server: each.programs for server, each in self._sums.items()}

    def _settle(self) -> None:
        """Count anew what was marked."""
        if self._stirred:
            stirred, self._stirred = self._stirred, {}
            for program in stirred:
                self._replace(program, program.claims)

    def _replace(self, program: Program, claims: Claims) -> None:
        before = self._told.pop(program, {})
        if claims:
            self._told[program] = claims
        if before == claims:
            return
        for server, claim in before.items():
            self._largest.pop(server, None)
            self._sums[server].add(claim, -1)
        for server, claim in claims.items():
            self._largest.pop(server, None)
            self._sums.setdefault(server, _Sum()).add(claim, 1)
        for server in before:
            if not self._sums[server].programs:
                del self._sums[server]


def _size(program: Program, claim: Claim) -> tuple[int, int, int, str, str]:
    """How much a program asks for; of equal ones always the same is the larger."""
    return (
        claim.worst_case,
        claim.unbounded,
        claim.connections,
        program.hostname,
        program.progname,
    )
