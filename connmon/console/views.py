"""What the screen shows: a pure function of the figures, the choices and the size."""

from __future__ import annotations

from dataclasses import dataclass

from connmon.console import columns, detail, footer, header, table
from connmon.console import help as panels
from connmon.console.line import clipped
from connmon.console.place import Mode, Screen
from connmon.console.shown import Shown, State
from connmon.console.table import Table
from connmon.console.text import Line, Style
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
)

__all__ = ["Shown", "State", "lines", "page_rows", "text_rows"]

_LOW = 8
"""Below this height there is but one line over the table, and none below it."""

_TALL = 16
"""From this height on there are the totals, and what is cut of some rows below them."""

_VERY_TALL = 30
"""From this height on that is so of all rows."""

_SPARE = 12
"""From this height on it is so wherever rows leave lines free."""

_SENTENCES = (CONNECTIONS, CHECKOUTS, EVENTS, TIMEOUTS, SITES, TAGS, ADVICE)
"""Views in which something is cut more often than not."""

_NOTHING = {
    PROGRAMS: "no program has reported yet",
    HOSTS: "no host has reported yet",
    PROCESSES: "no process is running",
    POOLS: "there is no pool",
    CONNECTIONS: "no connection is open",
    CHECKOUTS: "no connection is checked out",
    NODES: "there is no node",
    EVENTS: "nothing has happened yet",
    TIMEOUTS: "no checkout has timed out",
    SITES: "no connection is checked out",
    TAGS: "no connection is checked out",
    SERVERS: "no pool is for a database server",
    SHARES: "no pool is for that server",
    ADVICE: "nothing to advise",
}


_UNHEARD: Line = ((Style.QUIET, "  not heard of yet"),)
"""In the place of rows that no node has told."""


@dataclass(frozen=True)
class _Plan:
    """How many lines there are of what: over the table, of it, and below it.

    ``head`` are those of the header, and ``where`` is whether there is one for the
    place. ``detail`` is one for the selected row, and ``spare`` is whether lines that
    rows leave free are for that, too. ``foot`` is the last one.
    """

    head: int
    where: bool
    page: int
    detail: bool
    foot: bool
    spare: bool


def lines(shown: Shown, width: int, height: int) -> list[Line]:
    """Return exactly ``height`` lines, none wider than ``width`` cells."""
    plan = _plan(shown, height)
    top = _header(shown, plan, width)
    if plan.where:
        top.append(header.where(shown, width))
    if shown.screen.mode is Mode.TABLE:
        middle, place = _table(shown, plan, width)
    else:
        middle, place = _panel(shown, plan, width)
    drawn = [*top, *middle]
    bottom = [_last(shown, place, width, height)] if plan.foot else []
    drawn += [()] * (height - len(drawn) - len(bottom))
    drawn = drawn[: height - len(bottom)] + bottom
    return [clipped(line, width, shown.glyphs) for line in drawn]


def page_rows(shown: Shown, width: int, height: int) -> int:
    """Return how many rows of a table there is room for."""
    return _plan(shown, height).page


def text_rows(shown: Shown, width: int) -> int:
    """Return how many lines there are of what stands in the place of the table."""
    return len(panels.panel(shown, width))


def _plan(shown: Shown, height: int) -> _Plan:
    screen = shown.screen
    table = screen.mode is Mode.TABLE
    low = height < _LOW
    # A low window has a last line only while there is something that must be said.
    said = bool(screen.notice) or header.cut_off(shown)
    foot = not low or screen.prompt is not None or (said and height > 2)
    head = min(1, height - foot) if low else 4 if height >= _TALL else 2
    where = table and not low and bool(header.where(shown))
    least = _TALL if _is_cut(screen) else _VERY_TALL
    detail = table and height >= least
    page = max(0, height - head - where - 1 - detail - foot)
    return _Plan(head, where, page, detail, foot, table and height >= _SPARE)


def _is_cut(screen: Screen) -> bool:
    """Whether something is cut more often than not in the table."""
    view = screen.place.view
    set_name = columns.chosen(view, screen.choices)
    of_pools = view == POOLS and set_name in ("closings", "waiters")
    return of_pools or view in _SENTENCES


def _header(shown: Shown, plan: _Plan, width: int) -> list[Line]:
    """The lines over the table, as many as the plan has."""
    if plan.head < 2:
        return [header.identity(shown, width)][: plan.head]
    between: list[Line] = [(), ()]
    if shown.frame:
        head = shown.frame.head
        between = [
            header.totals_line(head, width, shown.glyphs),
            header.waits_line(head, width),
        ]
    between = between if plan.head > 2 else []
    return [header.identity(shown, width), *between, header.news(shown)]


def _table(shown: Shown, plan: _Plan, width: int) -> tuple[list[Line], str]:
    """The table, with what there is to say of the selected row, and its place."""
    place, choices, frame = shown.screen.place, shown.screen.choices, shown.frame
    if frame is None or frame.view != place.view:
        heading = table.empty(place, choices, width, shown.glyphs)
        # While a node answers it is there in a moment, and words would only flash.
        unheard = [_UNHEARD][: plan.page] if shown.state is State.LOST else []
        return [heading, *unheard], ""
    drawn = table.table(
        frame,
        place,
        choices,
        columns.manner_of(frame, choices, shown.glyphs, shown.time),
        room=width,
        page=plan.page,
        most=shown.widest,
    )
    rows = drawn.lines or [((Style.QUIET, f"  {_nothing(shown, frame)}"),)]
    below = _detail(shown, plan, drawn, width)
    rows = (rows + [()] * plan.page)[: plan.page + plan.detail - len(below)] + below
    seen = drawn.window
    return [drawn.heading, *rows], footer.place(
        seen.first, seen.last, seen.count, frame.total, drawn.order
    )


def _nothing(shown: Shown, frame: Frame) -> str:
    """Why there is no row."""
    if frame.total <= 0:
        return _NOTHING[frame.view]
    return "nothing matches the filter" if shown.screen.where else "nothing is busy"


def _detail(shown: Shown, plan: _Plan, drawn: Table, width: int) -> list[Line]:
    """What there is to say of the selected row, also where there are no more rows."""
    # One line stays between the two.
    free = max(0, plan.page - max(1, len(drawn.lines)) - 1) if plan.spare else 0
    most = free + plan.detail
    if not most or drawn.selected is None:
        return []
    view = shown.screen.place.view
    return detail.lines(view, drawn.selected, shown.glyphs, width, most)


def _panel(shown: Shown, plan: _Plan, width: int) -> tuple[list[Line], str]:
    """What stands in the place of the table, from the line scrolled to on."""
    every = panels.panel(shown, width)
    first = max(0, min(shown.screen.scroll, len(every) - plan.page))
    if shown.screen.mode is Mode.SORT:  # there it is the line that must be seen
        first = max(0, min(shown.screen.scroll, len(every) - 1) - plan.page + 1)
    seen = every[first : first + plan.page]
    place = footer.place(first, first + len(seen), len(every))
    return [panels.title(shown, width), *seen], place


def _last(shown: Shown, place: str, width: int, height: int) -> Line:
    """The last line: a prompt, or keys; in a low window what must be said."""
    if shown.screen.prompt is not None:
        return footer.typed(shown.screen.prompt, width, shown.glyphs)
    if height < _LOW:
        return header.notice(shown) if shown.screen.notice else header.news(shown)
    return footer.reminder(shown.footer, place, width, shown.glyphs)
