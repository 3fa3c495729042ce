"""Which columns a table has: sets to choose from, and what fits into a width.

A column is named by the field of the view that it shows and that rows are sorted by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from connmon.console import layout
from connmon.console.cells import Manner
from connmon.console.choices import Choices
from connmon.console.column import DRAWN, Column, Look, column
from connmon.console.layout import Widths
from connmon.console.sheet import sheet
from connmon.console.text import Glyphs
from connmon.views.frame import Frame
from connmon.views.schema import (
    ADVICE,
    CHECKOUTS,
    CONNECTIONS,
    EVENTS,
    HOSTS,
    NODES,
    POOLS,
    PROCESSES,
    PROGRAMS,
    SERVERS,
    SHARES,
    SITES,
    TAGS,
    TIMEOUTS,
    VIEWS,
)

GUTTER = 2
"""Cells before the first column: a sign for what is wrong, and one for the cursor."""

Scope = Sequence[tuple[str, object]]
"""What a view was narrowed to, as ``Place.scope`` has it."""


#: These are all there in a width of 80, however long the names and large the figures.
_ORIGINAL = "hostname progname nproc conn ckout maxnproc maxconn maxckout ckoutpersec"

#: The sets of each view in the order in which one goes through them, the default first.
_SETS: dict[str, dict[str, str]] = {
    PROGRAMS: {
        "now": "hostname progname state nproc conn ckout maxnproc maxconn maxckout "
        "pool_size pool_worst waiting wait_p99_seconds oldest_seconds txn_seconds "
        "timeouts_per_minute invalidations_per_second ckoutpersec history",
        "max": _ORIGINAL,
        "wait": "hostname progname state ckout capacity pool_size pool_worst full "
        "waiting oldest_wait_seconds wait_p99_seconds oldest_seconds txn_seconds "
        "timeouts timeouts_per_minute leaks",
        "totals": "hostname progname nproc checkouts connects closes connect_failures "
        "invalidations timeouts leaks connects_per_second",
    },
    HOSTS: {
        "now": "hostname state programs nproc conn ckout capacity pool_worst waiting "
        "wait_p99_seconds oldest_seconds txn_seconds timeouts_per_minute "
        "invalidations_per_second ckoutpersec",
        "wait": "hostname state ckout capacity pool_worst full waiting "
        "oldest_wait_seconds wait_p99_seconds oldest_seconds txn_seconds timeouts "
        "timeouts_per_minute leaks",
        "totals": "hostname nproc checkouts connects closes connect_failures "
        "invalidations timeouts leaks connects_per_second",
    },
    PROCESSES: {
        "now": "hostname progname pid state up_seconds conn ckout pool_worst waiting "
        "wait_p99_seconds oldest_seconds txn_seconds timeouts ckoutpersec",
        "max": "hostname progname pid node heard_seconds engines pools conn ckout "
        "capacity maxconn maxckout full leaks",
        "wait": "hostname progname pid state ckout capacity pool_worst full waiting "
        "oldest_wait_seconds wait_p99_seconds oldest_seconds txn_seconds timeouts "
        "leaks",
        "totals": "hostname progname pid checkouts connects closes connect_failures "
        "invalidations timeouts leaks",
    },
    POOLS: {
        "now": "hostname progname pid pool_name state pool_size conn ckout pool_used "
        "waiting wait_p99_seconds oldest_seconds txn_seconds timeouts",
        "times": "hostname progname pid pool_name ckout waiting oldest_wait_seconds "
        "wait_p99_seconds hold_p50_seconds hold_p99_seconds connect_p99_seconds "
        "oldest_seconds txn_seconds",
        "config": "hostname progname pid pool_name kind pool_size timeout_seconds "
        "recycle_seconds pre_ping maxconn maxckout",
        "totals": "hostname progname pid pool_name checkouts connects closes "
        "connect_failures invalidations timeouts leaks",
        "closings": "hostname progname pid pool_name kind connects closes closings",
        "waiters": "hostname progname pid pool_name waiting oldest_wait_seconds "
        "waiters",
        "waits": "hostname progname pid pool_name timeouts waiting wait_p99_seconds "
        "wait_histogram",
    },
    CONNECTIONS: {
        "now": "hostname progname pid pool_name connection server_session state "
        "out_seconds txn_seconds txn_idle_seconds idle_seconds age_seconds uses owner "
        "site",
        "session": "hostname progname pid connection server_session address state "
        "out_seconds age_seconds pool_name owner tag leak site",
    },
    CHECKOUTS: {
        "now": "out_seconds txn_seconds txn_idle_seconds hostname progname pid "
        "pool_name server_session age_seconds uses owner site",
        "session": "out_seconds hostname progname pid connection server_session "
        "address age_seconds pool_name owner tag leak site",
    },
    NODES: {
        "now": "node address state since_seconds clients consoles agreed_seconds "
        "lag_seconds version reason",
        "traffic": "node address state bytes_sent bytes_received messages_sent "
        "messages_received lag_seconds heard_seconds reason",
    },
    EVENTS: {"now": "age_seconds severity hostname progname node text"},
    TIMEOUTS: {
        "now": "age_seconds hostname progname pool_name capacity held waiting timeouts "
        "holders",
        "wait": "age_seconds hostname progname pool_name number waited_seconds owner "
        "site waiters",
    },
    SITES: {
        "now": "ckout out_of share waiting oldest_seconds txn_seconds nproc hosts "
        "prognames site",
        "names": "ckout waiting oldest_wait_seconds hostnames prognames tags site",
    },
    TAGS: {
        "now": "tag ckout out_of share waiting oldest_seconds txn_seconds nproc hosts "
        "prognames sites",
        "names": "tag ckout waiting oldest_wait_seconds hostnames prognames sites",
    },
    SERVERS: {
        "now": "server hostname limit worst_case unbounded conn ckout used programs "
        "nproc largest largest_share adds",
    },
    SHARES: {
        "now": "server hostname progname nproc worst_case unbounded conn ckout share "
        "adds",
    },
    ADVICE: {
        "now": "severity rule progname finding",
        "advice": "severity rule progname pool_name advice",
        "evidence": "severity rule progname evidence",
        "where": "severity rule progname hostnames pool_name site",
    },
}

#: The columns of each view by their importance; those before the bar are never left
#: out. What is not named here comes last, in the order it is shown in.
_RANKS = {
    PROGRAMS: "progname hostname ckout | state waiting ckoutpersec pool_worst "
    "oldest_seconds conn nproc txn_seconds wait_p99_seconds pool_size "
    "timeouts_per_minute history invalidations_per_second maxckout maxconn maxnproc",
    HOSTS: "hostname ckout | state waiting ckoutpersec pool_worst oldest_seconds conn "
    "nproc programs txn_seconds wait_p99_seconds timeouts_per_minute",
    PROCESSES: "pid ckout | progname state waiting pool_worst oldest_seconds hostname "
    "conn txn_seconds wait_p99_seconds timeouts ckoutpersec",
    POOLS: "pool_name ckout closings waiters wait_histogram | progname pid state "
    "waiting pool_used oldest_seconds pool_size conn txn_seconds wait_p99_seconds "
    "hostname",
    CONNECTIONS: "connection state out_seconds | progname site pid txn_seconds "
    "hostname server_session owner txn_idle_seconds idle_seconds age_seconds uses "
    "pool_name",
    CHECKOUTS: "out_seconds progname | site txn_seconds owner pid hostname "
    "txn_idle_seconds server_session pool_name age_seconds uses",
    NODES: "node state | reason since_seconds clients address lag_seconds "
    "bytes_sent bytes_received agreed_seconds consoles",
    EVENTS: "age_seconds text | severity progname hostname node",
    TIMEOUTS: "age_seconds progname | holders site waiters held waiting hostname "
    "waited_seconds capacity timeouts owner pool_name number",
    SITES: "ckout site | out_of waiting oldest_seconds prognames txn_seconds share "
    "hosts nproc oldest_wait_seconds tags hostnames",
    TAGS: "ckout tag | out_of waiting oldest_seconds prognames sites txn_seconds share "
    "hosts nproc oldest_wait_seconds hostnames",
    SERVERS: "server worst_case | limit conn used unbounded adds largest nproc "
    "largest_share programs ckout hostname",
    SHARES: "progname worst_case | nproc server share adds conn unbounded hostname "
    "ckout",
    ADVICE: "rule finding | progname severity advice evidence site hostnames pool_name",
}

#: What a view needs of each row besides its columns, as far as it has these fields:
#: for its looks, and for what is said of it below the table.
_MARKS = (
    "connected",
    "gone_seconds",
    "stale",
    "stale_seconds",
    "nproc",
    "programs",
    "alert",
    "reason",
    "waiters",
)

#: What is the same in all rows where another field is.
_IMPLIED = {
    "hostname": ("hosts", "hostnames"),
    "progname": ("prognames",),
    "process": (
        "hostname",
        "progname",
        "pid",
        "node",
        "nproc",
        "hosts",
        "hostnames",
        "prognames",
    ),
    "pool_id": ("pool_name",),
}


def sets(view: str) -> tuple[str, ...]:
    """The names of a view's sets of columns, the first the default."""
    return tuple(_SETS[view])


def chosen(view: str, choices: Choices) -> str:
    """The set that somebody chose for a view, or its default."""
    name = choices.sets.get(view, "")
    return name if name in _SETS[view] else sets(view)[0]


def sort(view: str, choices: Choices) -> str:
    """What a view's rows are sorted by: a field, ``-`` before it for downwards."""
    order = VIEWS[view].order
    return choices.sorts.get(view) or (order[0] if order else "")


def natural(view: str, name: str) -> str:
    """The way one wants to see a column sorted at first: ``hostname``, ``-conn``.

    Names go from A on, figures from the largest down, and events from the newest.
    """
    each = column(view, name)
    falls = each.right or each.look in DRAWN
    return f"-{name}" if falls else name


def sign(view: str, sort: str, glyphs: Glyphs) -> str:
    """How a column is marked that rows are sorted by.

    It points down where names go from A on, and figures from the largest.
    """
    falls = sort == natural(view, sort.removeprefix("-"))
    if glyphs.ascii:
        return "v" if falls else "^"
    return "▾" if falls else "▴"


def fields(view: str, set_name: str) -> tuple[str, ...]:
    """The fields to ask a node for, to show a set of columns and mark its rows."""
    wanted = {*VIEWS[view].key, *_MARKS}
    for each in columns(view, set_name):
        wanted.update((each.name, *each.needs))
    return tuple(field.name for field in VIEWS[view].fields if field.name in wanted)


def sortable(view: str, set_name: str, scope: Scope = ()) -> tuple[str, ...]:
    """The columns of a set that rows can be sorted by, shown or not, in their order."""
    return tuple(
        each.name
        for each in columns(view, set_name, scope)
        if each.look is not Look.SPARK
    )


def columns(view: str, set_name: str, scope: Scope = ()) -> tuple[Column, ...]:
    """The columns of a set, without those that ``scope`` makes the same in all rows."""
    known = _SETS[view]
    names = known.get(set_name) or known[sets(view)[0]]
    same = {name for name, _ in scope}
    same.update(*(_IMPLIED.get(name, ()) for name in same))
    found = [column(view, name) for name in names.split() if name not in same]
    if names == _ORIGINAL:
        found = [replace(each, least=each.floor) for each in found]
    return tuple(found)


def for_text(view: str, set_name: str) -> tuple[Column, ...]:
    """The same as plain text has them: with words in place of signs and drawings."""
    among = [
        replace(each, look=Look.SHARE, floor=len(each.heading))
        if each.look is Look.BAR
        else each
        for each in columns(view, set_name)
        if each.look is not Look.SPARK
    ]
    if VIEWS[view].field("alert"):
        among.append(column(view, "alert"))
    return tuple(among)


def visible(
    view: str,
    set_name: str,
    widest: Mapping[str, int],
    width: int,
    scope: Scope = (),
) -> dict[str, int]:
    """The columns that fit into ``width`` cells, gutter included, and their widths.

    ``widest`` is what ``table.widest`` says, or the most it has said.
    """
    among = columns(view, set_name, scope)
    return {each.name: cells for each, cells in fitted(view, among, widest, width)}


def fitted(
    view: str, among: Sequence[Column], widest: Mapping[str, int], width: int
) -> Widths:
    """Those of ``among`` that fit into ``width`` cells; see ``visible``."""
    first, _, rest = _RANKS[view].partition(" | ")
    ranks = {name: rank for rank, name in enumerate((first + " " + rest).split())}
    ranked = sorted(among, key=lambda each: ranks.get(each.name, len(ranks)))
    always = [each for each in ranked if each.name in first.split()]
    room = width - GUTTER
    return layout.fitted(among, ranked, always, widest, room)


def widest(
    frame: Frame, choices: Choices, glyphs: Glyphs, time: float | None = None
) -> dict[str, int]:
    """The cells that each column of the set in use needs for all rows of a frame.

    ``time`` is as in ``Shown``. The most of it since a view was opened goes into
    ``Shown.widest``, so that no column changes its width to and fro.
    """
    among = columns(frame.view, chosen(frame.view, choices))
    manner = manner_of(frame, choices, glyphs, time)
    return sheet(frame, frame.rows, among, manner, tree=choices.tree).needs()


def manner_of(
    frame: Frame, choices: Choices, glyphs: Glyphs, time: float | None = None
) -> Manner:
    """How the values of a frame are written."""
    return Manner(glyphs, choices.exact, choices.short_names, time, frame.head.node)
