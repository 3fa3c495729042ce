"""The views and their fields, under the names that JSON, CSV, filters and sorts use.

This is the one list of them: nodes make rows in the order of ``View.fields``, consoles
find their columns by name, and a field that one of the two does not know is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from math import isfinite
from typing import NamedTuple

PROGRAMS = "programs"
HOSTS = "hosts"
PROCESSES = "processes"
POOLS = "pools"
CONNECTIONS = "connections"
CHECKOUTS = "checkouts"
NODES = "nodes"
EVENTS = "events"
TIMEOUTS = "timeouts"
SITES = "sites"
TAGS = "tags"
SERVERS = "servers"
SHARES = "shares"
ADVICE = "advice"


class Kind(Enum):
    """What a value is; ``None`` stands for not known in each of them."""

    #: ``str``.
    TEXT = auto()
    #: ``tuple`` of ``str``.
    TEXTS = auto()
    #: ``int``, not negative.
    COUNT = auto()
    #: ``float``: a duration in seconds.
    SECONDS = auto()
    #: ``float``: so many per second, or per minute if the name says so.
    RATE = auto()
    #: ``float``: 1.0 is all there is.
    RATIO = auto()
    #: ``bool``.
    FLAG = auto()
    #: ``tuple`` of ``float``: rates per second, the oldest first, 3 s each.
    SERIES = auto()
    #: ``tuple`` of ``Taking``, each a tuple: who has a connection, or waits for one.
    RECORDS = auto()
    #: ``tuple`` of ``Tally``, each a tuple: how many there were for each reason.
    TALLIES = auto()

    @property
    def is_number(self) -> bool:
        """Whether values can be compared with a number."""
        return self in (Kind.COUNT, Kind.SECONDS, Kind.RATE, Kind.RATIO)


class Taking(NamedTuple):
    """Who has a connection, or waits for one, and for how many seconds.

    ``site`` is the line of the application, empty if it is not known, ``owner`` the
    thread or task, ``session`` what the server calls the connection, and ``address``
    where it sees that come from; ``tag`` is what the application called its work.
    """

    site: str
    owner: str
    seconds: float
    session: int | None = None
    address: str = ""
    tag: str = ""


DISPOSED = "disposed"
"""The state of what is out of a pool that was disposed of since."""

HELD = ("out", DISPOSED)
"""The states of connections that somebody has checked out."""

WAIT_HISTOGRAM = "wait_histogram"
"""The field of how long waits took."""

BEYOND = "inf"
"""What has no upper bound."""


class Tally(NamedTuple):
    """How often there was one reason for something.

    Of durations it is how many seconds they took at most, such as ``0.25``, and
    ``BEYOND`` for those that took longer than is told apart.
    """

    reason: str
    times: int


def up_to(reason: str) -> float | None:
    """The seconds that a tally of durations is up to; ``None`` if it has no bound."""
    try:
        seconds = float(reason)
    except ValueError:  # from a node that says something else
        return None
    return seconds if isfinite(seconds) else None


@dataclass(frozen=True, slots=True)
class Field:
    """One figure of a row.

    ``heading`` is what stands over its column, and in lower case another name for it
    where one types. ``meaning`` is a phrase for lists and help.
    """

    name: str
    kind: Kind
    heading: str
    meaning: str

    def order(self, sign: str = "") -> str:
        """To sort by this field: ``+`` puts the largest first, ``-`` the smallest.

        So does top. Without a sign numbers begin with the largest, texts with A.
        """
        down = sign == "+" or (self.kind.is_number and sign != "-")
        return turned(self.name) if down else self.name


def turned(order: str) -> str:
    """The other way round: ``conn`` of ``-conn``, and ``-conn`` of ``conn``."""
    return order[1:] if order.startswith("-") else f"-{order}"


@dataclass(frozen=True)
class View:
    """A table: its fields, which of them tell a row from all others, and its order.

    ``order`` names fields to sort by, the first first; ``-`` before one is downwards.
    ``inner`` names fields of what its rows sum up: it can be narrowed by them, too.
    """

    name: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    order: tuple[str, ...]
    inner: tuple[str, ...] = ()

    def field(self, name: str) -> Field | None:
        """The field of that name or heading, in whatever case."""
        wanted = name.lower()
        for each in self.fields:
            if each.name == wanted:
                return each
        for each in self.fields:
            if each.heading.lower() == wanted:
                return each
        return None

    def meant(self, name: str) -> tuple[Field, ...]:
        """The fields that somebody may mean by a name; only one is no doubt.

        That is the field of that name or heading, or else those whose names begin so.
        """
        found = self.field(name)
        if found is not None:
            return (found,)
        begun = name.lower()
        near = (each for each in self.fields if each.name.startswith(begun))
        return tuple(near) if begun else ()

    def ordering(self, sort: str) -> tuple[str, ...]:
        """What to sort by, the first first, if ``sort`` was chosen; empty if nothing.

        Rows that are equal in that are in the view's own order. To turn round what
        comes first in that is to turn round all of it.
        """
        if sort and sort == turned(next(iter(self.order), "")):
            return tuple(map(turned, self.order))
        return (sort, *self.order) if sort else self.order

    def index(self, name: str) -> int:
        """Where in a row the field of that name is."""
        return next(i for i, each in enumerate(self.fields) if each.name == name)


_TEXT, _COUNT, _SECONDS = Kind.TEXT, Kind.COUNT, Kind.SECONDS
_RATE, _RATIO, _FLAG = Kind.RATE, Kind.RATIO, Kind.FLAG

_ALERT = Field("alert", _TEXT, "ALERT", "ok, warn or crit")
_STATE = Field(
    "state",
    _TEXT,
    "STATE",
    "OK, BUSY, STUCK, LEAKING, UNREACHABLE or IDLE-IN-TXN",
)
_REASON = Field("reason", _TEXT, "REASON", "why it is not ok, in words")
_HOST = Field("hostname", _TEXT, "HOST", "host of the processes")
_PROGRAM = Field("progname", _TEXT, "PROGRAM", "name of the program")
_NPROC = Field("nproc", _COUNT, "NPROC", "processes running now")
_CONN = Field("conn", _COUNT, "CONN", "connections open now")
_CKOUT = Field("ckout", _COUNT, "CKOUT", "connections checked out now")
_PER_SECOND = Field(
    "ckoutpersec", _RATE, "CKOUT/s", "checkouts per second, over the last 10 s"
)
_HISTORY = Field("history", Kind.SERIES, "LAST 60s", "checkouts per second, by 3 s")
_POOL_WORST = Field(
    "pool_worst",
    _RATIO,
    "POOL",
    "fullest pool of one process: checked out of pool_size + max_overflow",
)
_FULL = Field("full", _COUNT, "FULL", "processes with a pool that is full")
_WAITING = Field("waiting", _COUNT, "WAIT", "threads or tasks waiting for a connection")
_WAIT_P99 = Field(
    "wait_p99_seconds", _SECONDS, "Wp99", "99th percentile of waits, last 60 s"
)
_WAIT_FOR = Field("oldest_wait_seconds", _SECONDS, "WAIT FOR", "longest wait now")
_OLDEST = Field("oldest_seconds", _SECONDS, "OLDEST", "longest checkout now")
_TXN = Field("txn_seconds", _SECONDS, "TXN", "longest open transaction now")
_OWN_TXN = Field("txn_seconds", _SECONDS, "TXN", "since its transaction began")
_TXN_IDLE = Field(
    "txn_idle_seconds", _SECONDS, "TXN IDLE", "since a statement was done in that"
)
_TIMEOUTS = Field("timeouts", _COUNT, "TMO", "checkouts that timed out")
_TIMEOUTS_PER_MINUTE = Field(
    "timeouts_per_minute", _RATE, "TMO/m", "checkouts that timed out, last 60 s"
)
_INVALIDATIONS_PER_SECOND = Field(
    "invalidations_per_second", _RATE, "INV/s", "connections invalidated per second"
)
_CONNECTS_PER_SECOND = Field(
    "connects_per_second", _RATE, "NEW/s", "connections opened per second"
)
_LEAKS = Field("leaks", _COUNT, "LEAK", "connections proven to have leaked")
_STALE = Field("stale", _COUNT, "STALE", "processes whose node nobody hears")
_STALE_SECONDS = Field(
    "stale_seconds", _SECONDS, "STALE FOR", "age of the oldest such knowledge"
)
_GONE = Field("gone_seconds", _SECONDS, "GONE", "since its last process ended")
_TOTALS = (
    Field("checkouts", _COUNT, "CKOUTS", "checkouts since it began"),
    Field("connects", _COUNT, "CONNECTS", "connections opened since it began"),
    Field("closes", _COUNT, "CLOSES", "connections closed since it began"),
    Field("connect_failures", _COUNT, "CFAIL", "connections that could not be opened"),
    Field("invalidations", _COUNT, "INVAL", "connections invalidated, at once or soft"),
)
_PID = Field("pid", _COUNT, "PID", "process id")
_PROCESS = Field("process", _TEXT, "PROCESS", "token of the process, unique")
_NODE_OF = Field("node", _TEXT, "NODE", "node that the process is linked to")
_POOL_ID = Field("pool_id", _COUNT, "POOL#", "number of the pool within its process")
_POOL_NAME = Field("pool_name", _TEXT, "DATABASE", "driver, server and database")

_PEAKS = (
    Field("maxnproc", _COUNT, "MAXNPROC", "most processes at one moment"),
    Field("maxconn", _COUNT, "MAXCONN", "most connections at one moment"),
    Field("maxckout", _COUNT, "MAXCKOUT", "most checkouts at one moment"),
)
_OWN_PEAKS = _PEAKS[1:]

_OF_PROGRAM = (_HOST, _PROGRAM)
_OF_PROCESS = (*_OF_PROGRAM, _PID, _PROCESS)
_OF_POOL = (*_OF_PROCESS, _POOL_ID, _POOL_NAME)
_NOW = (_CONN, _CKOUT)
_JUDGED = (_ALERT, _REASON)
_IN_STATE = (_STATE, *_JUDGED)
_UNHEARD = (_STALE, _STALE_SECONDS)
_WAITS = (_WAITING, _WAIT_FOR)
_LONGEST = (_OLDEST, _TXN)
_FLOW = (
    _POOL_WORST,
    _FULL,
    *_WAITS,
    _WAIT_P99,
    *_LONGEST,
    _TIMEOUTS,
    _TIMEOUTS_PER_MINUTE,
    _INVALIDATIONS_PER_SECOND,
    _CONNECTS_PER_SECOND,
    _LEAKS,
    *_TOTALS,
)
"""What programs and hosts sum up alike."""

_PROGRAMS = View(
    PROGRAMS,
    (
        *_OF_PROGRAM,
        Field("connected", _FLAG, "LINKED", "whether a process of it is running"),
        _NPROC,
        *_NOW,
        *_PEAKS,
        _PER_SECOND,
        *_UNHEARD,
        Field("programs", _COUNT, "PROGRAMS", "in a tree, programs of the host"),
        _GONE,
        *_IN_STATE,
        Field("pool_size", _COUNT, "SIZE", "pool_size, if all pools agree"),
        Field("max_overflow", _COUNT, "OVER", "max_overflow, if all pools agree"),
        Field("capacity", _COUNT, "CAP", "most checkouts that all its pools allow"),
        *_FLOW,
        _HISTORY,
    ),
    key=("hostname", "progname"),
    order=("hostname", "progname"),
)

_HOSTS = View(
    HOSTS,
    (
        _HOST,
        Field("programs", _COUNT, "PROGRAMS", "programs with a process running"),
        _NPROC,
        *_NOW,
        _PER_SECOND,
        *_UNHEARD,
        _GONE,
        *_IN_STATE,
        Field("capacity", _COUNT, "CAP", "most checkouts that all pools allow"),
        *_FLOW,
    ),
    key=("hostname",),
    order=("hostname",),
)

_PROCESSES = View(
    PROCESSES,
    (
        *_OF_PROCESS,
        _NODE_OF,
        Field("up_seconds", _SECONDS, "UP", "since connmon began in the process"),
        Field("heard_seconds", _SECONDS, "HEARD", "since its last report"),
        Field("pools", _COUNT, "POOLS", "pools of the process"),
        Field("engines", _COUNT, "ENGINES", "engines made since it began"),
        *_NOW,
        *_OWN_PEAKS,
        _PER_SECOND,
        _STALE_SECONDS,
        *_IN_STATE,
        Field("capacity", _COUNT, "CAP", "most checkouts that its pools allow"),
        _POOL_WORST,
        Field("full", _COUNT, "FULL", "pools that are full"),
        *_WAITS,
        _WAIT_P99,
        *_LONGEST,
        _TIMEOUTS,
        _LEAKS,
        *_TOTALS,
    ),
    key=("process",),
    order=("hostname", "progname", "pid", "process"),
)

_POOLS = View(
    POOLS,
    (
        *_OF_POOL,
        Field("kind", _TEXT, "CLASS", "class of the pool"),
        Field("pool_size", _COUNT, "SIZE", "pool_size"),
        Field("max_overflow", _COUNT, "OVER", "max_overflow; unknown if unbounded"),
        Field("timeout_seconds", _SECONDS, "TIMEOUT", "longest wait for a connection"),
        Field("recycle_seconds", _SECONDS, "RECYCLE", "age at which one is replaced"),
        Field("pre_ping", _FLAG, "PING", "whether each is tried before use"),
        *_NOW,
        *_OWN_PEAKS,
        _STALE_SECONDS,
        *_IN_STATE,
        Field("pool_used", _RATIO, "POOL", "checked out of pool_size + max_overflow"),
        *_WAITS,
        _WAIT_P99,
        *_LONGEST,
        Field("hold_p50_seconds", _SECONDS, "HOLD50", "median of ended checkouts"),
        Field("hold_p99_seconds", _SECONDS, "HOLD99", "99th percentile of them"),
        Field("connect_p99_seconds", _SECONDS, "NEW99", "99th percentile to connect"),
        _TIMEOUTS,
        _LEAKS,
        *_TOTALS,
        Field("closings", Kind.TALLIES, "CLOSED FOR", "why connections were closed"),
        Field(
            "waiters", Kind.RECORDS, "WAITERS", "who waits for it, the longest first"
        ),
        Field(
            WAIT_HISTOGRAM, Kind.TALLIES, "WAITS UP TO", "waits by how long they took"
        ),
    ),
    key=("process", "pool_id"),
    order=("hostname", "progname", "pid", "process", "pool_id"),
)

_SITE = Field("site", _TEXT, "CHECKED OUT AT", "line of the application that took it")
_TAG = Field("tag", _TEXT, "TAG", "what the application called its work")

_CONNECTION_FIELDS = (
    *_OF_POOL,
    Field("connection", _COUNT, "#", "number of the connection within its process"),
    Field("server_session", _COUNT, "SESSION", "the server's id of the session"),
    Field("address", _TEXT, "ADDRESS", "where the server sees it come from"),
    Field("state", _TEXT, "STATE", "idle, out, disposed or detached"),
    Field("out_seconds", _SECONDS, "OUT FOR", "since it was checked out"),
    _OWN_TXN,
    _TXN_IDLE,
    Field("idle_seconds", _SECONDS, "IDLE", "since it was last returned"),
    Field("age_seconds", _SECONDS, "AGE", "since it was opened"),
    Field("uses", _COUNT, "USES", "times it was checked out"),
    *_JUDGED,
    _STALE_SECONDS,
    Field("owner", _TEXT, "THREAD", "thread or task that took it"),
    _TAG,
    Field("leak", _TEXT, "LEAK", "why nobody can return it any more"),
    _SITE,
)

_CONNECTIONS, _CHECKOUTS = (
    View(
        name,
        _CONNECTION_FIELDS,
        key=("process", "connection"),
        order=(
            "-out_seconds",
            "hostname",
            "progname",
            "pid",
            "process",
            "connection",
        ),
    )
    for name in (CONNECTIONS, CHECKOUTS)
)

_NODES = View(
    NODES,
    (
        Field("node", _TEXT, "NODE", "name of the node"),
        Field("address", _TEXT, "ADDRESS", "where others reach it"),
        Field("state", _TEXT, "STATE", "up, stale, unreachable or refused"),
        Field("reason", _TEXT, "REASON", "why it is not up"),
        Field("since_seconds", _SECONDS, "SINCE", "how long it has been in that state"),
        Field("heard_seconds", _SECONDS, "HEARD", "since anyone heard it"),
        Field("clients", _COUNT, "CLIENTS", "processes linked to it"),
        Field("consoles", _COUNT, "CONSOLES", "consoles linked to it"),
        Field("agreed_seconds", _SECONDS, "AGREED", "since both knew the same"),
        Field("lag_seconds", _SECONDS, "LAG", "round trip"),
        Field("bytes_sent", _COUNT, "BYTESOUT", "bytes sent to it"),
        Field("bytes_received", _COUNT, "BYTESIN", "bytes received from it"),
        Field("messages_sent", _COUNT, "MSGSOUT", "messages sent to it"),
        Field("messages_received", _COUNT, "MSGSIN", "messages received from it"),
        Field("version", _TEXT, "VERSION", "its connmon's version"),
        Field("remarks", Kind.TEXTS, "REMARKS", "what else is odd about it"),
    ),
    key=("node", "address"),
    order=(),
)

_EVENTS = View(
    EVENTS,
    (
        Field("age_seconds", _SECONDS, "AGE", "how long ago it happened"),
        Field("severity", _TEXT, "SEV", "info, warn or crit"),
        Field("hostname", _TEXT, "HOST", "host of the process, if it is about one"),
        Field("progname", _TEXT, "PROGRAM", "program, if it is about one"),
        Field("pid", _COUNT, "PID", "process id, if it is about one"),
        Field("node", _TEXT, "NODE", "node that noted it"),
        Field("text", _TEXT, "EVENT", "what happened"),
        Field("origin", _TEXT, "ORIGIN", "start of the node that noted it"),
        Field("sequence", _COUNT, "NUMBER", "its number among that start's events"),
    ),
    key=("origin", "sequence"),
    order=("age_seconds",),
)

_TIMED_OUT = View(
    TIMEOUTS,
    (
        Field("age_seconds", _SECONDS, "AGE", "how long ago it timed out"),
        *_OF_PROCESS,
        Field("number", _COUNT, "NUMBER", "its number among those of the process"),
        _POOL_ID,
        _POOL_NAME,
        Field("capacity", _COUNT, "CAP", "most checkouts that the pool allows"),
        Field("held", _COUNT, "HELD", "connections of the pool that were out"),
        Field("waiting", _COUNT, "WAIT", "others who waited for one"),
        Field("timeouts", _COUNT, "TMO", "checkouts of the pool that had timed out"),
        Field("waited_seconds", _SECONDS, "WAITED", "how long it had waited"),
        Field("owner", _TEXT, "THREAD", "thread or task whose checkout timed out"),
        _TAG,
        Field("site", _TEXT, "CHECKED OUT AT", "line of the application that did"),
        Field("holders", Kind.RECORDS, "HELD BY", "who had them, the longest first"),
        Field("waiters", Kind.RECORDS, "WAITERS", "who waited, the longest first"),
    ),
    key=("process", "number"),
    order=("age_seconds", "process", "number"),
)


def _summed_up(name: str, by: Field, beside: Field) -> View:
    """A view of checkouts and waits that have a line, or a tag, in common."""
    fields = (
        by,
        Field("ckout", _COUNT, "CKOUT", "connections that are out so"),
        Field("out_of", _COUNT, "OF", "all that are out in those programs"),
        Field("share", _RATIO, "SHARE", "the one of the other"),
        Field("waiting", _COUNT, "WAIT", "threads or tasks that wait for one so"),
        _WAIT_FOR,
        *_LONGEST,
        Field("nproc", _COUNT, "NPROC", "processes that have one, or wait"),
        Field("hosts", _COUNT, "HOSTS", "hosts of these processes"),
        Field("hostnames", Kind.TEXTS, "HOST", "their names, 16 at most"),
        Field("prognames", Kind.TEXTS, "PROGRAM", "their programs, 16 at most"),
        beside,
        *_UNHEARD,
        *_JUDGED,
    )
    own = {each.name for each in fields}
    inner = (each.name for each in _CONNECTION_FIELDS if each.name not in own)
    order = ("-ckout", "-waiting", by.name)
    return View(name, fields, key=(by.name,), order=order, inner=tuple(inner))


_SITES = _summed_up(
    SITES, _SITE, Field("tags", Kind.TEXTS, "TAG", "tags of these checkouts")
)
_TAGS = _summed_up(
    TAGS, _TAG, Field("sites", Kind.TEXTS, "CHECKED OUT AT", "lines that took them")
)

_SERVER = Field("server", _TEXT, "SERVER", "database server, HOST:PORT")
_ASKED = (
    Field(
        "worst_case",
        _COUNT,
        "WORST",
        "most connections that all pools with a bound may open",
    ),
    Field("unbounded", _COUNT, "NOBOUND", "pools that may open any number"),
    *_NOW,
)
"""What is asked of a server, and what of that is there."""

_SERVERS = View(
    SERVERS,
    (
        _SERVER,
        Field("hostname", _TEXT, "HOST", "whose own host that is, if it is localhost"),
        Field("limit", _COUNT, "LIMIT", "connections the server has for applications"),
        *_ASKED,
        Field("used", _RATIO, "USED", "open connections, of the limit"),
        Field("programs", _COUNT, "PROGRAMS", "programs with a pool for it"),
        _NPROC,
        Field("largest", _TEXT, "LARGEST", "program whose pools may open the most"),
        Field("largest_share", _RATIO, "SHARE", "its part of the worst case"),
        Field("adds", _COUNT, "ADDS", "what one more process of it may open"),
        *_JUDGED,
    ),
    key=("server", "hostname"),
    order=("server", "hostname"),
)

_SHARES = View(
    SHARES,
    (
        _SERVER,
        *_OF_PROGRAM,
        _NPROC,
        *_ASKED,
        Field("share", _RATIO, "SHARE", "its part of the server's worst case"),
        Field("adds", _COUNT, "ADDS", "what one more process may open"),
        *_JUDGED,
    ),
    key=("server", "hostname", "progname"),
    order=("server", "-worst_case", "hostname", "progname"),
)

_ADVICE = View(
    ADVICE,
    (
        Field("severity", _TEXT, "SEV", "info, warn or crit"),
        Field("rule", _TEXT, "RULE", "what kind of finding it is"),
        _PROGRAM,
        Field("hostnames", Kind.TEXTS, "HOST", "hosts it was found on"),
        Field("pool_name", _TEXT, "DATABASE", "driver, server and database"),
        Field("site", _TEXT, "AT", "line of the application that does it"),
        Field("finding", _TEXT, "FINDING", "what is wrong"),
        Field("evidence", _TEXT, "EVIDENCE", "the figures that say so"),
        Field("advice", _TEXT, "WHAT TO DO", "what to do about it"),
    ),
    key=("rule", "progname", "pool_name", "site"),
    order=(),
)

VIEWS = {
    each.name: each
    for each in (
        _PROGRAMS,
        _HOSTS,
        _PROCESSES,
        _POOLS,
        _CONNECTIONS,
        _CHECKOUTS,
        _NODES,
        _EVENTS,
        _TIMED_OUT,
        _SITES,
        _TAGS,
        _SERVERS,
        _SHARES,
        _ADVICE,
    )
}
