"""What ``connmon check`` makes of database servers: how near each is to its limit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from connmon.console.cells import harmless, sentence
from connmon.console.marks import Values, number
from connmon.console.text import UNICODE
from connmon.console.thresholds import OK, SERVER, Limits
from connmon.views.query import WHOLE, Query
from connmon.views.schema import SERVERS, SHARES

LIMITED = Query(
    SERVERS,
    where=("limit!=-",),
    fields=(
        *("server", "hostname", "limit", "worst_case", "conn", "used"),
        *("alert", "reason"),
    ),
    limit=WHOLE,
)
"""Those of which a limit is known: they are the ones that the header counts, too."""

USERS = Query(SHARES, fields=("server", "hostname", "progname"), limit=WHOLE)
"""Which program has a pool for which server."""


def used_by(
    programs: Iterable[Values], servers: Iterable[Values], shares: Iterable[Values]
) -> list[Values]:
    """Those of the servers that one of the programs has a pool for."""
    named = {(row.get("hostname"), row.get("progname")) for row in programs}
    theirs = {
        (row.get("server"), hostname)
        for row in shares
        if (row.get("hostname"), row.get("progname")) in named
        # A server has a host only if it is that of its programs.
        for hostname in (row.get("hostname"), None)
    }
    return [
        row for row in servers if (row.get("server"), row.get("hostname")) in theirs
    ]


def blamed(servers: Iterable[Values], limits: Limits) -> list[tuple[int, str]]:
    """Those that are not well, in words, with the status each leads to, worst first."""
    levels = [(limits.of_server(row), row) for row in servers]
    wrong = [(level, row) for level, row in levels if level > OK]
    wrong.sort(key=lambda each: (each[0], *_badness(each[1])), reverse=True)
    return [(level, _told(row, level in limits.alerts)) for level, row in wrong]


def _badness(row: Values) -> Sequence[float]:
    worst, limit = number(row.get("worst_case")), number(row.get("limit"))
    return (number(row.get("used")) or 0.0, (worst or 0.0) / (limit or 1.0))


def _told(row: Values, by_alert: bool) -> str:
    """Which it is, and why it is not well; of a threshold the node says nothing."""
    name, hostname = (
        harmless(row.get(each), UNICODE) for each in ("server", "hostname")
    )
    where = f" of {hostname}" if hostname else ""
    said = [sentence(row.get("reason"), UNICODE)]
    if not (by_alert and said[0]) and SERVER.said not in said[0]:
        said.insert(0, SERVER.words(SERVER.value(row) or 0.0))
    return f"{name}{where}: {', '.join(filter(None, said))}"
