"""What a column is: the field it shows, how that is written, how wide it must be."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from functools import cache

from connmon.console.text import Cut
from connmon.views.roster import UNREACHABLE
from connmon.views.schema import (
    CHECKOUTS,
    CONNECTIONS,
    EVENTS,
    HOSTS,
    NODES,
    POOLS,
    PROGRAMS,
    TIMEOUTS,
    VIEWS,
    Kind,
)


class Look(Enum):
    """How the values of a column are written."""

    #: Names: cut in the middle where there is no room.
    NAME = auto()
    #: Sentences, cut at the end; they take what room the others leave.
    TEXT = auto()
    #: A line of the application: the same, but cut at the beginning, as its number and
    #: its function are at the end.
    SITE = auto()
    #: Words of which the longest is known, such as a state. They are not cut.
    WORD = auto()
    COUNT = auto()
    #: Numbers that stand for something: each digit counts.
    NUMBER = auto()
    SIZE = auto()
    SECONDS = auto()
    RATE = auto()
    FLAG = auto()
    #: A bar, and the same in percent.
    BAR = auto()
    SPARK = auto()
    #: A pool's size and overflow: ``5+10``.
    LIMIT = auto()
    #: Whom an event is about.
    WHO = auto()
    #: The time of day, of a field that says how long ago it was.
    MOMENT = auto()
    #: Why a node is not up.
    WHY = auto()
    #: What is wrong with a row, in words.
    ALERT = auto()
    #: Who has connections, or waits for them, as a sentence.
    RECORDS = auto()
    #: How many there were for each reason, as a sentence.
    TALLIES = auto()
    #: A share in percent, without a bar.
    SHARE = auto()
    #: Several names with commas between them, cut like one.
    NAMES = auto()


_OF_KIND = {
    Kind.TEXT: Look.NAME,
    Kind.TEXTS: Look.NAMES,
    Kind.COUNT: Look.COUNT,
    Kind.SECONDS: Look.SECONDS,
    Kind.RATE: Look.RATE,
    Kind.RATIO: Look.BAR,
    Kind.FLAG: Look.FLAG,
    Kind.SERIES: Look.SPARK,
    Kind.RECORDS: Look.RECORDS,
    Kind.TALLIES: Look.TALLIES,
}

_OF_NAME = {
    "alert": Look.ALERT,
    "address": Look.NAME,
    "bytes_received": Look.SIZE,
    "bytes_sent": Look.SIZE,
    "advice": Look.TEXT,
    "connection": Look.NUMBER,
    "evidence": Look.TEXT,
    "finding": Look.TEXT,
    "kind": Look.WORD,
    "largest_share": Look.SHARE,
    "pid": Look.NUMBER,
    "pool_size": Look.LIMIT,
    "rule": Look.WORD,
    "server_session": Look.NUMBER,
    "severity": Look.WORD,
    "site": Look.SITE,
    "state": Look.WORD,
    "text": Look.TEXT,
    "version": Look.WORD,
}

_OF_PLACE = {
    (EVENTS, "age_seconds"): Look.MOMENT,
    (EVENTS, "progname"): Look.WHO,
    (NODES, "reason"): Look.WHY,
    (TIMEOUTS, "age_seconds"): Look.MOMENT,
    (TIMEOUTS, "progname"): Look.WHO,
}

_HEADINGS = {
    (EVENTS, "age_seconds"): "TIME",
    (EVENTS, "progname"): "WHO",
    (TIMEOUTS, "age_seconds"): "TIME",
    (TIMEOUTS, "progname"): "WHO",
    (PROGRAMS, "pool_worst"): "POOL worst",
    (HOSTS, "pool_worst"): "POOL worst",
    (PROGRAMS, "pool_size"): "SIZE+OV",
    (POOLS, "pool_size"): "SIZE+OV",
    (PROGRAMS, "history"): "last 60s",
}

_NEEDS = {
    Look.LIMIT: ("max_overflow", "capacity"),
    Look.WHO: ("pid", "node"),
    Look.WHY: ("remarks",),
    Look.ALERT: ("reason",),
}

_LEFT = (
    Look.NAME,
    Look.TEXT,
    Look.SITE,
    Look.WORD,
    Look.FLAG,
    Look.BAR,
    Look.SPARK,
    Look.WHO,
    Look.MOMENT,
    Look.WHY,
    Look.ALERT,
    Look.RECORDS,
    Look.TALLIES,
    Look.NAMES,
)

ELASTIC = (Look.NAME, Look.WHO, Look.NAMES)
"""Columns that may be cut in the middle."""

FILLING = (
    Look.TEXT,
    Look.SITE,
    Look.WHY,
    Look.ALERT,
    Look.RECORDS,
    Look.TALLIES,
)
"""Columns that take what room is left, and may be cut."""

DRAWN = (Look.BAR, Look.SPARK)
"""Columns that are more than text; the more room they have the more they tell."""

#: The fewest cells of a column, whatever is in it, where its heading is not wider.
_FLOORS = {
    Look.SECONDS: 6,
    Look.WORD: 5,
    Look.MOMENT: 8,
    Look.NAME: 8,
    Look.WHO: 8,
    Look.NAMES: 8,
    Look.BAR: 13,
    Look.SPARK: 10,
    Look.TEXT: 16,
    Look.WHY: 16,
    Look.ALERT: 16,
    Look.RECORDS: 16,
    Look.TALLIES: 16,
}
_OWN_FLOORS = {
    "wait_p99_seconds": 5,
    "waiting": 4,
    "conn": 5,
    "pid": 7,
    "kind": 9,
    "severity": 4,
    # Who is to blame: worth more than what else there is to be said.
    "site": 28,
    "closings": 36,
    "lag_seconds": 5,
    "text": 30,
    "advice": 30,
    "evidence": 30,
    "finding": 30,
}
#: Of the longest state; where it is seldom, the column grows when it is there. Of who
#: waits for a pool there is to be line and thread.
_VIEW_FLOORS = {
    (NODES, "state"): len(UNREACHABLE),
    (CONNECTIONS, "state"): len("detached"),
    (CHECKOUTS, "state"): len("detached"),
    (POOLS, "waiters"): 36,
}
#: The cells a name is given before less important columns are shown, if it needs them.
_LEAST_NAMES = {
    "hostname": 10,
    "progname": 14,
    "address": 21,
    "pool_name": 18,
    "prognames": 14,
    "sites": 28,
    "server": 18,
    "largest": 18,
}
_LEAST_HOST = 20
"""That of a host where it is all that a row is about."""
_LEAST_NAME = 12

_LONGEST_WORD = 24


@dataclass(frozen=True)
class Column:
    """One column. ``floor`` are its fewest cells, ``least`` those a name needs."""

    name: str
    heading: str
    look: Look
    floor: int
    least: int

    @property
    def right(self) -> bool:
        """Whether it is aligned at its right edge."""
        return self.look not in _LEFT

    @property
    def cut(self) -> Cut:
        """Where its values are cut if there is no room for them."""
        if self.look in ELASTIC:
            return Cut.MIDDLE
        return Cut.BEGINNING if self.look is Look.SITE else Cut.END

    @property
    def needs(self) -> tuple[str, ...]:
        """Fields that it is made of, besides its own."""
        return _NEEDS.get(self.look, ())

    def base(self, need: int) -> int:
        """The fewest cells it is shown with, if its widest value needs ``need``."""
        if self.look in ELASTIC:
            return max(self.floor, min(need, self.least))
        if self.look is Look.WORD:
            need = min(need, _LONGEST_WORD)
        return self.floor if self.look in FILLING else max(self.floor, need)


@cache
def column(view: str, name: str) -> Column:
    """The column of that name. It must be a field of the view."""
    field = next(each for each in VIEWS[view].fields if each.name == name)
    heading = _HEADINGS.get((view, name), field.heading)
    look = _OF_PLACE.get((view, name)) or _OF_NAME.get(name) or _OF_KIND[field.kind]
    floor = max(len(heading), _OWN_FLOORS.get(name, _FLOORS.get(look, 3)))
    floor = max(floor, _VIEW_FLOORS.get((view, name), 0))
    least = _LEAST_NAMES.get(name, _LEAST_NAME)
    if (view, name) == (HOSTS, "hostname"):
        least = _LEAST_HOST
    return Column(name, heading, look, floor, least)
