"""From where on programs and database servers are not well, for ``connmon check``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from connmon.console import figures
from connmon.console.marks import Values, number
from connmon.views.alert import CRIT, IDLE_IN_TXN, LEAKING, UNREACHABLE, USED, WARN
from connmon.views.servers import FULL, NEAR

OK, WARNING, CRITICAL, UNKNOWN = range(4)
"""The exit statuses of a plugin."""

_HUNDRED = 100.0


class Bounds(NamedTuple):
    """From which value on a figure is worth a warning, or critical; ``None``: never."""

    warning: float | None = None
    critical: float | None = None

    def level(self, value: float | None) -> int:
        """The status that a value leads to; what is not known is well."""
        if _reaches(value, self.critical):
            return CRITICAL
        return WARNING if _reaches(value, self.warning) else OK


def _reaches(value: float | None, bound: float | None) -> bool:
    return value is not None and bound is not None and value >= bound


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of programs, or of servers, that there can be thresholds for.

    ``name`` is that of its options, ``label`` that of its value, which is in ``unit``.
    It is read from ``field``; that of all rows is their ``total``. ``words`` say that
    of one, unless its reason has ``said`` in it. One that ``counts`` is a whole number.
    """

    name: str
    label: str
    field: str
    total: Callable[[Iterable[float]], float]
    words: Callable[[float], str]
    said: str
    unit: str = ""
    counts: bool = False
    maximum: str = ""
    meaning: str = ""

    def value(self, row: Values) -> float | None:
        """A row's figure, shares in percent; ``None`` if it is not known."""
        return number(row.get(self.field))

    def of_all(self, rows: Iterable[Values]) -> float | None:
        """That of all rows, ``None`` if it is not known of any."""
        known = [value for row in rows if (value := self.value(row)) is not None]
        return self.total(known) if known else None

    def blames(self, row: Values, bounds: Bounds, level: int) -> int:
        """How much of the level of all is this program's doing."""
        value = self.value(row)
        if self.total is sum:
            return level if value else OK
        return bounds.level(value)


class Share(Measure):
    """A share, of which thresholds are in percent."""

    __slots__ = ()

    def value(self, row: Values) -> float | None:
        """In percent. A share that is not all is less than 100, however near."""
        share = number(row.get(self.field))
        if share is None:
            return None
        # To so many digits, or 0.29 would not reach 29 %.
        percent = round(share * _HUNDRED, 6)
        return min(percent, 99.999) if share < 1.0 else percent


def counted(one: str, many: str) -> Callable[[float], str]:
    """How to say so many: ``1 leak``, ``2 leaks``."""
    return lambda value: f"{value:.0f} {one if value == 1 else many}"


MEASURES = (
    Share(
        "used",
        "pool_used",
        "pool_worst",
        max,
        lambda value: f"pool {int(value)} % used",
        "pool ",
        unit="%",
        maximum="100",
        meaning="percent of the places of the fullest pool that are taken",
    ),
    Measure(
        "waiting",
        "waiting",
        "waiting",
        sum,
        lambda value: f"{value:.0f} waiting",
        "waiting",
        counts=True,
        meaning="how many wait for a connection",
    ),
    Measure(
        "timeouts",
        "timeouts",
        "timeouts_per_minute",
        sum,
        counted("timeout", "timeouts"),
        "timeout",
        counts=True,
        meaning="checkouts that timed out in the last 60 seconds",
    ),
    Measure(
        "age",
        "oldest_checkout",
        "oldest_seconds",
        max,
        lambda value: f"oldest checkout {figures.duration(value)}",
        "oldest checkout",
        unit="s",
        meaning="seconds that the oldest checkout has lasted",
    ),
    Measure(
        "txn",
        "oldest_transaction",
        "txn_seconds",
        max,
        lambda value: f"transaction open {figures.duration(value)}",
        "transaction open",
        unit="s",
        meaning="seconds that the oldest transaction has been open",
    ),
    Measure(
        "leaks",
        "leaks",
        "leaks",
        sum,
        counted("leak", "leaks"),
        "leak",
        unit="c",
        counts=True,
        meaning="connections proven to have leaked since the programs began",
    ),
)
"""Those of programs, in the order in which they are told."""

SERVER = Share(
    "server",
    "server_used",
    "used",
    max,
    lambda value: f"{int(value)} % of its connections open",
    "connections open",
    unit="%",
    maximum="100",
    meaning="percent of the connections of the fullest database server that are open",
)
"""That of database servers, which is told last."""

DEFAULTS: Mapping[str, Bounds] = {
    **{each.name: Bounds() for each in MEASURES},
    "used": Bounds(warning=USED * _HUNDRED),
    "waiting": Bounds(critical=1),
    "timeouts": Bounds(critical=1),
    SERVER.name: Bounds(NEAR * _HUNDRED, FULL * _HUNDRED),
}
"""The thresholds without any option, by the measures' names."""

_ALERTS = {WARN: WARNING, CRIT: CRITICAL}

#: Those of which no threshold tells.
WARNING_STATES = (LEAKING, IDLE_IN_TXN)
CRITICAL_STATES = (UNREACHABLE,)


@dataclass(frozen=True, slots=True)
class Limits:
    """What leads to which status: thresholds by the measures' names, and states.

    To the statuses of ``alerts`` a server leads by the alert that its node has for it,
    and not by a threshold: more is wrong with one than that so much of it is in use.
    """

    bounds: Mapping[str, Bounds]
    warning_states: frozenset[str] = frozenset(WARNING_STATES)
    critical_states: frozenset[str] = frozenset(CRITICAL_STATES)
    alerts: frozenset[int] = frozenset((WARNING, CRITICAL))

    def of_state(self, row: Values) -> int:
        """The status that a program's state leads to."""
        word = row.get("state")
        if word in self.critical_states:
            return CRITICAL
        return WARNING if word in self.warning_states else OK

    def of_server(self, row: Values) -> int:
        """The status that a server leads to."""
        bounds = self.bounds[SERVER.name]
        if self._is_reached(CRITICAL, bounds.critical, row):
            return CRITICAL
        return WARNING if self._is_reached(WARNING, bounds.warning, row) else OK

    def _is_reached(self, level: int, bound: float | None, server: Values) -> bool:
        if level in self.alerts:
            return _ALERTS.get(str(server.get("alert")), OK) >= level
        return _reaches(SERVER.value(server), bound)
