"""What the screen asks of the node: a query, made from what the viewer chose."""

from __future__ import annotations

from connmon.console import columns, cursor, drill, ordering
from connmon.console.place import Screen
from connmon.views.query import Query
from connmon.views.schema import PROGRAMS, VIEWS

PAUSED_ROWS = 2000
"""Rows asked for when the screen is paused: as far as one can then scroll."""


def query(screen: Screen, page: int, find: str = "", step: int = 1) -> Query:
    """The query for a screen with room for ``page`` rows.

    ``find`` is a filter to go to the next row of, forwards or, if ``step`` is -1,
    backwards.
    """
    place, choices = screen.place, screen.choices
    page = max(1, page)
    above = PAUSED_ROWS // 2 if screen.paused else cursor.MARGIN * page
    line = cursor.line(place, page)
    first = cursor.aim(place) - line - above
    if find and place.selected is None:
        first = cursor.aim(place) + step  # where the search begins
    return Query(
        view=place.view,
        scope=place.scope,
        where=(place.where,) if place.where else (),
        busy=choices.busy,
        sort=ordering.known(place.view, choices.sorts.get(place.view, "")),
        alerts_first=choices.alerts_first,
        tree=choices.tree and place.view == PROGRAMS,
        fields=_fields(place.view, choices.sets.get(place.view, "")),
        first=max(0, first),
        limit=PAUSED_ROWS if screen.paused else (2 * cursor.MARGIN + 1) * page,
        anchor=place.selected,
        line=above + line,
        find=find,
        find_step=step,
    )


def about(query: Query) -> tuple[object, ...]:
    """What makes rows of one query of no use for another: all but the window."""
    return (
        query.view,
        query.scope,
        query.where,
        query.busy,
        query.sort,
        query.alerts_first,
        query.tree,
        query.fields,
    )


def placing(query: Query) -> tuple[object, ...]:
    """What keeps the window where the viewer looks, while rows come and go.

    Where in it the anchor is makes no difference: the margins are as wide as a page.
    """
    return query.anchor, query.limit, query.find


def _fields(view: str, set_name: str) -> tuple[str, ...]:
    """Those that are shown, and those that opening a row looks at."""
    wanted = {*columns.fields(view, set_name), *drill.NEEDED.get(view, ())}
    return tuple(each.name for each in VIEWS[view].fields if each.name in wanted)
