"""How fresh the figures are, from whom they come, and what is done if they do not."""

from __future__ import annotations

from connmon.config import AnyAddress
from connmon.console.link import Failed
from connmon.console.shown import State


class Freshness:
    """What became of the link.

    ::

        connecting --- came ---> live --- lost ---> lost --- came ---> live ...

    Of a recording, whatever comes is a replay.
    """

    def __init__(self, replay: bool = False) -> None:
        """Nothing has come."""
        self.state = State.CONNECTING
        #: Whom the figures come from, or came from last; empty before the first.
        self.origin = ""
        #: What there was to say about the link, the last thing last.
        self.said = ""
        self._arrived = State.REPLAY if replay else State.LIVE
        self._lost: Failed | None = None
        self._next = ""
        self._vain = ""
        self._refused = ""

    @property
    def message(self) -> str:
        """From whom we are cut off, why, and what is tried next; empty if all is well.

        Of a node that refuses what is asked of it, why.
        """
        if self.state is State.LOST or not self.origin:
            lost = f"lost {self._lost}" if self._lost else ""
            parts = (lost, self._vain, self._next or self._refused)
            return "; ".join(filter(None, parts))
        return self._refused

    def came(self, origin: str) -> bool:
        """Figures came; whether that is news about the link."""
        news = (self._arrived, origin) != (self.state, self.origin)
        self.state, self.origin = self._arrived, origin
        self._lost = None
        self._next = self._vain = ""
        if news:
            self.said = f"figures come from {origin}"
        return news

    def taken(self) -> None:
        """They are those that were asked for."""
        self._refused = ""

    def refused(self, reason: str) -> None:
        """The node does not understand what is asked for."""
        self._refused = self.said = reason
        self._next = ""

    def lost(self, failed: Failed) -> None:
        """The node is gone."""
        self.state = State.LOST
        self._lost = failed
        self.said = f"lost {failed}"

    def trying(self, address: AnyAddress, wait: float) -> None:
        """In ``wait`` seconds a node is tried."""
        again = self._lost is not None and self._lost.address == address
        soon = f" in {wait:.0f} s" if wait >= 1 else ""
        self._next = f"trying {'it again' if again else address}{soon}"
        self._refused = ""

    def exhausted(self, tried: tuple[Failed, ...]) -> None:
        """Every node was tried in vain; the newest reason of the one lost counts."""
        self.said = no_daemon(tried)
        if self._lost is not None:
            lost = self._lost.address
            self._lost = next((f for f in tried if f.address == lost), self._lost)
        self._vain = f"none of {len(tried)} nodes answers" if len(tried) > 1 else ""


def no_daemon(tried: tuple[Failed, ...]) -> str:
    """What was tried in vain, in one line."""
    return f"no daemon reached, tried {', '.join(map(str, tried))}"
