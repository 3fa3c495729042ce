"""How many engines a process made, by the line of the application that did.

Engines are made in several threads. A count grows by plain stores without a call, which
is one step, as ``connmon.model.ledger`` has it.
"""

from __future__ import annotations

ENGINE_SITES = 20
"""Of how many lines it is told how many engines they made."""


class _Made:
    """How often one line made an engine."""

    __slots__ = ("times",)

    def __init__(self) -> None:
        self.times = 0


class Engines:
    """The engines of one process: how many were made, and where."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        """Begin with none."""
        self._made: dict[str, _Made] = {}

    def add(self, site: str) -> None:
        """One more was made there; empty if it is not known where. Any thread.

        Of very many places all but the first are told as one that is not known.
        """
        if site not in self._made and len(self._made) >= ENGINE_SITES:
            site = ""
        made = self._made.get(site)
        if made is None:
            made = self._made.setdefault(site, _Made())
        made.times += 1

    def told(self) -> tuple[tuple[str, int], ...]:
        """Each line with its count, the most first. Reporting thread."""
        made = [(site, each.times) for site, each in self._made.copy().items()]
        return tuple(sorted(made, key=lambda each: -each[1]))
