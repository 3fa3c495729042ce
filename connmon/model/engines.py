"""How many engines a process made, by the line of the application that did.

A line that makes an engine for each of many databases, once, does what it should. So
it is told how many a line made for one and the same; all others count together.

Engines are made in several threads. A count grows by plain stores without a call, which
is one step, as ``connmon.model.ledger`` has it.
"""

from __future__ import annotations

ENGINE_SITES = 20
"""Of how many lines it is told how many engines they made."""

DATABASES = 100
"""For how many databases of each line it is known how many engines it made."""

OTHERS = "others"
"""Stands for no line: the engines that lines made for others of their databases."""


class _Made:
    """How often an engine was made."""

    __slots__ = ("times",)

    def __init__(self) -> None:
        self.times = 0


class _Line:
    """How often one line made an engine, by database."""

    __slots__ = ("_databases", "_further")

    def __init__(self) -> None:
        self._databases: dict[str, _Made] = {}
        #: For databases past those that are known.
        self._further = _Made()

    def made(self, database: str) -> _Made:
        """Where the engines of a database count."""
        made = self._databases.get(database)
        if made is None:
            if len(self._databases) >= DATABASES:
                return self._further
            made = self._databases.setdefault(database, _Made())
        return made

    def told(self) -> tuple[int, int]:
        """How many for the database that has the most, and for all others."""
        times = [each.times for each in self._databases.copy().values()]
        most = max(times, default=0)
        return most, sum(times) - most + self._further.times


class Engines:
    """The engines of one process: how many were made, and where."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        """Begin with none."""
        self._lines: dict[str, _Line] = {}

    def add(self, site: str, database: str) -> None:
        """One more was made there for it; no site if that is not known. Any thread.

        Of very many places all but the first are told as one that is not known.
        """
        if site not in self._lines and len(self._lines) >= ENGINE_SITES:
            site = ""
        line = self._lines.get(site)
        if line is None:
            line = self._lines.setdefault(site, _Line())
        made = line.made(database)
        made.times += 1

    def told(self) -> tuple[tuple[str, int], ...]:
        """Each line with its most for one database, the most first. Reporting thread.

        They add up to all there were: what is left of them is told as ``OTHERS``.
        """
        made, others = [], 0
        for site, line in self._lines.copy().items():
            most, rest = line.told()
            made.append((site, most))
            others += rest
        if others:
            made.append((OTHERS, others))
        return tuple(sorted(made, key=lambda each: -each[1]))
