"""The lines over a table: who is watched and how fresh it is, totals, what is wrong."""

from __future__ import annotations

import sys
from itertools import chain

from connmon.console import figures
from connmon.console.cells import harmless, sentence, series
from connmon.console.line import clipped, extent
from connmon.console.shown import Shown, State
from connmon.console.text import UNICODE, Glyphs, Line, Segment, Style
from connmon.views.frame import Gauge, Head

_WORDS = {
    State.LIVE: (Style.GOOD, "LIVE"),
    State.PAUSED: (Style.WARN_BADGE, "PAUSED"),
    State.CONNECTING: (Style.WARN_BADGE, "CONNECTING"),
    State.LOST: (Style.CRIT, "LOST"),
    State.REPLAY: (Style.WARN_BADGE, "REPLAY"),
}
_CUT_OFF = (State.CONNECTING, State.LOST)
"""Without a node that is heard: the figures are the last that there were."""

_SPARK = 20
"""The most cells of the sparkline beside the totals."""
_LEAST_SPARK = 4


_CLUSTER = "cluster "

_GAP = "   "
"""Between two things that are said of the place."""

_LEAST_PATH = 20
"""Cells that the way to the place is not cut to less than."""

_BELOW = {True: " > ", False: " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} "}
"""Between two levels of it, without and with more than ASCII."""


def totals(head: Head) -> str:
    """What there is, now and at most, and how busy it is, in plain words."""
    return _plain(_joined(_totals(head, " max ")))


def plain(head: Head, width: int | None, glyphs: Glyphs = UNICODE) -> list[str]:
    """Totals, waits and what is wrong, in lines of so many cells or of any length."""
    room = sys.maxsize if width is None else width
    whole = _joined(_totals(head, " max "))
    short = _fitting(_totals(head, "/"), room)
    lines = [whole if extent(whole) <= room else short, waits_line(head, room)]
    if head.crit or head.warn or head.worst:
        lines.append(clipped(_alerts(head, glyphs), room, glyphs))
    return [_plain(line).strip() for line in lines]


def cut_off(shown: Shown) -> bool:
    """Whether no node is heard."""
    return shown.state in _CUT_OFF


def identity(shown: Shown, room: int) -> Line:
    """Who is watched, and how fresh that is.

    What gives way to a lack of room, in this order: names of nodes that are down, the
    node's address, the delay, the clock, the cluster. How fresh it is comes last.
    """
    rights = _freshness(shown)
    whose, *more = _whose(shown)
    clusters = _clusters(shown)
    lefts = [(*left, *its) for left in (*more, whose) for its in clusters]
    pairs = [(left, right) for right in rights for left in lefts]
    rights = rights[-2:] if clusters else rights
    pairs += [(left, right) for right in rights for left in (*more, whose)]
    for left, right in pairs:
        gap = room - extent(left) - extent(right)
        if gap >= 2:
            return (*left, (Style.PLAIN, " " * gap), *right)
    word = rights[-1]
    spare = room - extent(word) - 1
    if spare < 1:
        return clipped(word, room, shown.glyphs)
    cut = clipped(whose, spare, shown.glyphs)
    return (*cut, (Style.PLAIN, " " * (spare + 1 - extent(cut))), *word)


def _whose(shown: Shown) -> list[Line]:
    """Whose console this is, and the same with the node's address."""
    line: Line = ((Style.TITLE, "connmon"),)
    if shown.frame:
        head = shown.frame.head
        service = harmless(f"{head.service}@{head.node}", shown.glyphs)
        line = (*line, (Style.VALUE, f" {service}"))
    address = harmless(shown.address, shown.glyphs)
    return [line, (*line, (Style.QUIET, f" {address}"))] if address else [line]


def cluster(head: Head, glyphs: Glyphs = UNICODE) -> tuple[str, ...]:
    """How many of several nodes are up, at first with the names of the others."""
    if head.nodes <= 1:
        return ()
    up = f"{_CLUSTER}{figures.count(head.nodes_up)}/{figures.count(head.nodes)} up"
    names = ", ".join(harmless(each, glyphs) for each in head.down)
    return (f"{up} ({names} down)", up) if names else (up,)


def _clusters(shown: Shown) -> list[Line]:
    """The same as lines."""
    if shown.frame is None:
        return []
    head = shown.frame.head
    look = Style.GOOD if head.nodes_up >= head.nodes else Style.WARN
    return [
        ((Style.PLAIN, f"  {_CLUSTER}"), (look, each.removeprefix(_CLUSTER)))
        for each in cluster(head, shown.glyphs)
    ]


def _freshness(shown: Shown) -> list[Line]:
    """How fresh it is, in fewer and fewer words: with the delay and the clock first."""
    look, word = _WORDS[shown.state]
    if cut_off(shown) and shown.frame:
        look, word = Style.CRIT, "STALE"
    aged = shown.age is not None and shown.state is not State.LIVE
    full = (look, f"{word} {figures.duration(shown.age)}" if aged else word)
    fewer: list[Line] = [(full,), ((look, word),)]
    if not shown.clock:
        return fewer
    clock = (Style.PLAIN, harmless(shown.clock, shown.glyphs) + "  ")
    fewer.insert(0, (clock, full))
    if shown.state is State.REPLAY:  # a recording has a pace of its own
        return fewer
    delay = (Style.QUIET, f"{shown.screen.choices.delay:g}s ")
    return [(delay, clock, full), *fewer]


def totals_line(head: Head, room: int, glyphs: Glyphs) -> Line:
    """What there is, now and at most, and how busy it is.

    The wording gets shorter with the room; where even the short one does not fit, whole
    figures are left out from the end, never digits.
    """
    parts = _totals(head, " max ")
    line = _joined(parts, "   ")
    if extent(line) + 1 + _SPARK > room:
        parts = _totals(head, "/")
        line = _fitting(parts, room)
    cells = min(_SPARK, room - extent(line) - 1)
    if cells < _LEAST_SPARK or line[-1:] != parts[-1]:
        return line
    spark = figures.spark(series(head.history), cells, glyphs)
    return (*line, (Style.PLAIN, " "), (Style.BAR, spark))


def _totals(head: Head, most: str) -> list[Line]:
    """The totals, each with its largest value after ``most``, and the rate."""
    rate = (Style.VALUE, f"{figures.rate(head.per_second)}/s")
    return [*_gauges(head, most), (rate,)]


def _gauges(head: Head, most: str) -> list[Line]:
    """The totals, each with its largest value after ``most``."""
    gauges = {
        "Hosts": head.hosts,
        "Procs": head.processes,
        "Conns": head.connections,
        "Ckout": head.checkouts,
    }
    parts = {name: _gauge(name, gauge, most) for name, gauge in gauges.items()}
    if head.stale:
        parts["Procs"] += ((Style.WARN, f" stale {figures.count(head.stale)}"),)
    return list(parts.values())


def _gauge(name: str, gauge: Gauge, most: str) -> Line:
    return (
        (Style.LABEL, f"{name} "),
        (Style.VALUE, figures.count(gauge.current)),
        (Style.QUIET, most + figures.count(gauge.maximum)),
    )


def waits_line(head: Head, room: int) -> Line:
    """Who waits, and what is out for long."""
    return _fitting(_waits(head), room)


def _waits(head: Head) -> list[Line]:
    wrong = Style.CRIT if head.crit else Style.WARN
    waiting, timeouts = (wrong if n else None for n in (head.waiting, head.timeouts))
    return [
        _figure("Waiting", figures.count(head.waiting), waiting),
        _figure("wait p99", figures.duration(head.wait_p99_seconds)),
        _figure("Timeouts", figures.count(head.timeouts), timeouts),
        _figure("Oldest", figures.duration(head.oldest_seconds)),
        _figure("Txn", figures.duration(head.txn_seconds)),
    ]


def _figure(name: str, said: str, look: Style | None = None) -> Line:
    known = Style.QUIET if said == figures.UNKNOWN else Style.VALUE
    return (Style.LABEL, f"{name} "), (look or known, said)


def _fitting(parts: list[Line], room: int) -> Line:
    """As many of the first parts as fit, but one at least."""
    count = len(parts)
    while count > 1 and extent(_joined(parts[:count])) > room:
        count -= 1
    return _joined(parts[:count])


def _plain(line: Line) -> str:
    return "".join(text for _, text in line)


def _joined(parts: list[Line], gap: str = "  ") -> Line:
    """Parts side by side."""
    between: Segment = (Style.PLAIN, gap)
    return tuple(chain.from_iterable((between, *each) for each in parts))[1:]


def news(shown: Shown) -> Line:
    """The worst there is to say: that no node is heard, else what the alerts are.

    While a node is heard, what the last key has to say comes before.
    """
    if cut_off(shown):
        return _banner(shown)
    if shown.screen.notice:
        return notice(shown)
    return _alerts(shown.frame.head, shown.glyphs) if shown.frame else ()


def notice(shown: Shown) -> Line:
    """What there is to say about the last key."""
    look = Style.WARN if shown.screen.notice_is_error else Style.VALUE
    return ((look, " " + sentence(shown.screen.notice, shown.glyphs)),)


def _banner(shown: Shown) -> Line:
    """From whom we were cut off, why, what follows, and how old the figures are."""
    lost = shown.state is State.LOST
    word = "DISCONNECTED" if lost else "CONNECTING"
    said = sentence(shown.message, shown.glyphs)
    if lost and said.startswith("lost "):
        said = said.replace("lost", "from", 1)
    old = "" if shown.age is None else figures.duration(shown.age)
    if old and shown.frame:
        said = f"{said.rstrip('.')}. Numbers are {old} old"
    badge = f" {word} {old} " if old else f" {word} "
    return (
        (Style.CRIT if lost else Style.WARN_BADGE, badge),
        (Style.PLAIN, f" {said}"),
    )


def _alerts(head: Head, glyphs: Glyphs) -> Line:
    """How many programs are in trouble, and which is the worst."""
    line: list[Segment] = []
    for count, look, word in (
        (head.crit, Style.CRIT, "CRIT"),
        (head.warn, Style.WARN_BADGE, "WARN"),
    ):
        if count:
            line += [(look, f" {figures.count(count)} {word} "), (Style.PLAIN, " ")]
    worst = sentence(head.worst, glyphs)
    if not line and not worst:
        return (Style.GOOD, " OK"), (Style.QUIET, "  nothing is wrong")
    return (*line, (Style.PLAIN, worst))


def where(shown: Shown, room: int = sys.maxsize) -> Line:
    """Where one is, and what is left out there; empty if there is nothing to say.

    What is left out is never cut for the sake of the way that was drilled down.
    """
    screen, glyphs = shown.screen, shown.glyphs
    said: list[Line] = []
    if screen.where:
        said.append(((Style.CHOSEN, f" filter: {sentence(screen.where, glyphs)} "),))
    if screen.choices.busy:
        said.append(((Style.CHOSEN, " busy only "),))
    if path := _path(shown):
        taken = sum(extent(each) + len(_GAP) for each in said) + 1
        said.insert(0, clipped(path, max(_LEAST_PATH, room - taken), glyphs))
    if shown.frame and shown.frame.about:
        said.append(((Style.QUIET, sentence(shown.frame.about, glyphs)),))
    if cut_off(shown):
        said += [notice(shown)] if screen.notice else []
    elif shown.message:
        said.append(((Style.PLAIN, sentence(shown.message, glyphs)),))
    return ((Style.PLAIN, " "), *_joined(said, _GAP)) if said else ()


def _path(shown: Shown) -> Line:
    """The way that was drilled down, such as ``programs > ctl1 nova-api``."""
    first, place = shown.screen.places[0], shown.screen.place
    if not place.title:
        return ()
    titles = _BELOW[shown.glyphs.ascii].join(
        harmless(each, shown.glyphs) for each in place.title
    )
    return (Style.QUIET, first.view + _BELOW[shown.glyphs.ascii]), (Style.VALUE, titles)
