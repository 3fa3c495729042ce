"""The programs that there are: each by its name, all in order, and those at work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, ValuesView
from functools import cached_property

from connmon.model.extent import Program

Key = tuple[str, str]
"""A host's name and a program's."""


class Roll(Mapping[Key, Program]):
    """Programs by host and name. What is read off all of them is kept until one joins.

    ``busy`` are those that have a connection out, somebody waiting, ever had a timeout,
    or have a process that is suspect: with all others there is nothing the matter but
    their silence.
    """

    def __init__(self) -> None:
        """There are none."""
        self._known: dict[Key, Program] = {}
        self.busy: set[Program] = set()

    def __getitem__(self, key: Key) -> Program:
        """The program of that host and name."""
        return self._known[key]

    def __iter__(self) -> Iterator[Key]:
        """Their names, in no order."""
        return iter(self._known)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._known)

    def values(self) -> ValuesView[Program]:
        """All of them, in no order."""
        return self._known.values()

    def join(self, program: Program) -> None:
        """There is one more."""
        self._known[program.hostname, program.progname] = program
        self._forget()

    def leave(self, program: Program) -> None:
        """There is one less."""
        del self._known[program.hostname, program.progname]
        self.busy.discard(program)
        self._forget()

    def changed(self, program: Program) -> None:
        """Something happened in a program: see whether it is at work now."""
        if program.checkouts or program.waiting or program.timeouts or program.suspects:
            self.busy.add(program)
        else:
            self.busy.discard(program)

    @cached_property
    def ordered(self) -> list[Program]:
        """All of them, by host and name."""
        return [program for _, program in sorted(self._known.items())]

    @cached_property
    def hosts(self) -> dict[str, list[Program]]:
        """The programs of each host, the hosts in order, too."""
        found: dict[str, list[Program]] = {}
        for program in self.ordered:
            found.setdefault(program.hostname, []).append(program)
        return found

    def _forget(self) -> None:
        for name in ("ordered", "hosts"):
            self.__dict__.pop(name, None)
