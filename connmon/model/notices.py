"""What should not happen to a connection, as a process notes it.

Whoever notes it names the holder, who may be gone a moment later; sites are described
when the reporting thread takes the note.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from connmon.model.backlog import Backlog
from connmon.model.records import Notice

KEPT = 50
"""How many notices a process keeps while it cannot tell of them."""

REPEATED = 10
"""How many of a process's last notices are told again with all it has."""


class Noted(NamedTuple):
    """A notice without a number, whose site is not described yet."""

    pool: int
    at: float
    kind: str
    connection: int
    seconds: float
    owner: str
    site: object
    session: int | None
    address: str
    tag: str

    def notice(self, number: int, site_name: Callable[[Any], str]) -> Notice:
        """As it is told, with this number. Reporting thread."""
        return Notice(
            number,
            self.pool,
            self.at,
            self.kind,
            self.connection,
            max(self.seconds, 0.0),
            self.owner,
            site_name(self.site),
            self.session,
            self.address,
            self.tag,
        )


Notices = Backlog[Noted, Notice]


def notices(kept: int = KEPT) -> Notices:
    """The notices of one process: none yet; so many are kept until they are told."""
    return Backlog(kept, REPEATED)
