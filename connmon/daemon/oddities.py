"""What is odd about nodes: told once, shown until it is so no longer."""

from __future__ import annotations

from dataclasses import dataclass

PASSING_SECONDS = 30.0
"""How long something is shown that only shows itself again and again.

A peer that is refused comes every ten seconds.
"""


@dataclass(frozen=True, slots=True)
class _Oddity:
    """What there is to say, and until when; ``None``: until it is taken back."""

    text: str
    until: float | None


class Oddities:
    """Of each node, by its name, what is odd about it, by its kind."""

    def __init__(self) -> None:
        """All is well."""
        self._found: dict[str, dict[str, _Oddity]] = {}

    def note(self, name: str, kind: str, text: str, until: float | None = None) -> bool:
        """Something is odd, perhaps only ``until`` then; whether that is news."""
        known = self._found.setdefault(name, {})
        before = known.get(kind)
        known[kind] = _Oddity(text, until)
        return before is None or before.text != text

    def clear(self, name: str, kind: str) -> None:
        """It is so no longer."""
        self._found.get(name, {}).pop(kind, None)

    def of(self, name: str, now: float) -> tuple[str, ...]:
        """All that is odd about a node now."""
        return tuple(
            each.text
            for each in self._found.get(name, {}).values()
            if each.until is None or now < each.until
        )
