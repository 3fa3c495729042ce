"""What a key changes in what the viewer sees: a pure rule.

What must happen besides is returned as an ``Effect``, and done by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from connmon.console import asked, columns, drill, ordering
from connmon.console.cursor import itself, moved, paged, put, row
from connmon.console.keys import PASTE, Action, action
from connmon.console.place import Asking, Mode, Place, Screen
from connmon.console.preferences import THEMES
from connmon.console.pressing import Do, Effect, Pressed, Rule, Sight, noticed
from connmon.errors import QueryError
from connmon.views import filters
from connmon.views.schema import (
    ADVICE,
    CHECKOUTS,
    CONNECTIONS,
    EVENTS,
    HELD,
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

ORDER = (
    PROGRAMS,
    HOSTS,
    CHECKOUTS,
    NODES,
    EVENTS,
    PROCESSES,
    POOLS,
    CONNECTIONS,
    TIMEOUTS,
    SITES,
    TAGS,
    SERVERS,
    SHARES,
    ADVICE,
)
"""The views in the order of their keys; the last has none of its own."""


def press(screen: Screen, key: str, sight: Sight) -> Pressed:
    """Return the screen after a key, and what else is to be done."""
    wanted = action(key, sight.replay)
    if wanted is Action.REDRAW:  # which is as welcome amid help and questions
        return _RULES[wanted](screen, sight)
    if screen.prompt is not None:
        return asked.in_prompt(screen, screen.prompt, key)
    if key.startswith(PASTE):
        return screen, Effect()
    screen = noticed(screen, "")
    if screen.mode is Mode.SORT:
        return ordering.in_menu(screen, wanted), Effect()
    if screen.mode is not Mode.TABLE:
        return _in_text(screen, wanted, sight)
    return (screen, Effect()) if wanted is None else _RULES[wanted](screen, sight)


# The cursor.


def _move(rows: int) -> Rule:
    """So many rows down."""

    def rule(screen: Screen, sight: Sight) -> Pressed:
        frame = sight.frame
        if frame is None or not frame.count:
            return screen, Effect()
        return screen.at(moved(screen.place, frame, sight.page, rows)), Effect()

    return rule


def _page(pages: int) -> Rule:
    """So many pages down, each with one row of the last one still in sight."""

    def rule(screen: Screen, sight: Sight) -> Pressed:
        frame = sight.frame
        if frame is None or not frame.count:
            return screen, Effect()
        rows = pages * max(1, sight.page - 1)
        return screen.at(paged(screen.place, frame, sight.page, rows)), Effect()

    return rule


def _top(screen: Screen, sight: Sight) -> Pressed:
    place = replace(screen.place, selected=None, target=None, line=0, first=0)
    return screen.at(place), Effect()


def _bottom(screen: Screen, sight: Sight) -> Pressed:
    frame = sight.frame
    if frame is None or not frame.count:
        return screen, Effect()
    place = put(screen.place, frame, sight.page, frame.count - 1)
    return screen.at(place), Effect()


# From view to view.


def _open(screen: Screen, sight: Sight) -> Pressed:
    """Drill down into the row under the cursor."""
    frame = sight.frame
    if frame is None:
        return screen, Effect()
    found = row(screen.place, frame, sight.page)
    if found is None and frame.count:
        return screen, Effect()  # it is on its way
    if found is not None and screen.place.view in drill.WHOLE:
        # On the first row the cursor would go on to any that comes above it.
        screen = screen.at(moved(screen.place, frame, sight.page, 0))
        return replace(screen, mode=Mode.WHOLE, scroll=0), Effect()
    inner = None if found is None else drill.opened(screen.place, found)
    if inner is None:
        return noticed(screen, "there is nothing to open here"), Effect()
    return replace(screen, places=(*screen.places, inner)), Effect()


def _back(screen: Screen, sight: Sight) -> Pressed:
    """Take back what was narrowed last: the filter, or else the level."""
    if screen.where:
        return screen.at(replace(screen.place, where="")), Effect()
    if len(screen.places) > 1:
        return replace(screen, places=screen.places[:-1]), Effect()
    return screen, Effect()


def _view(name: str) -> Rule:
    def rule(screen: Screen, sight: Sight) -> Pressed:
        return viewing(screen, name), Effect()

    return rule


def viewing(screen: Screen, name: str) -> Screen:
    """The screen with another view, from its first row, filtered alike if that goes.

    If it is the view that one has drilled down from, that is where one returns to.
    """
    choices = replace(screen.choices, view=name)
    screen = replace(screen, places=screen.places[:1], choices=choices)
    if screen.place.view == name:
        return screen
    return _seeing(screen, Place(name, where=screen.where))


def _seeing(screen: Screen, place: Place) -> Screen:
    """The screen at another place, without its filter if that has no meaning there."""
    try:
        filters.parse(place.where, VIEWS[place.view])
    except QueryError as error:
        screen = noticed(screen, f"filter dropped: {error}", error=True)
        place = replace(place, where="")
    return screen.at(place)


def _turn(step: int) -> Rule:
    def rule(screen: Screen, sight: Sight) -> Pressed:
        now = ORDER.index(screen.places[0].view)
        return viewing(screen, ORDER[(now + step) % len(ORDER)]), Effect()

    return rule


_SUMMED_UP = {
    CHECKOUTS: (SITES, "by call site"),
    SITES: (TAGS, "by tag"),
    TAGS: (CHECKOUTS, "each by itself"),
}
"""What follows when the checkouts are to be summed up by something else."""


def _group(screen: Screen, sight: Sight) -> Pressed:
    """Sum the checkouts up by line, by tag, or not; else those of a row by line."""
    place, frame = screen.place, sight.frame
    if place.view in _SUMMED_UP:
        view, said = _SUMMED_UP[place.view]
        screen = noticed(screen, said)
        if len(screen.places) == 1:
            return viewing(screen, view), Effect()
        where = Place(view, place.scope, place.title, where=place.where)
        return _seeing(screen, where), Effect()
    found = None if frame is None else row(place, frame, sight.page)
    inner = drill.summed_up(place, found)
    if inner is None:
        return noticed(screen, "there is nothing to sum up here"), Effect()
    return replace(screen, places=(*screen.places, inner)), Effect()


# How the rows are shown.


def _toggle(name: str, on: str, off: str) -> Rule:
    """Change a choice of two, and say which it is now."""

    def rule(screen: Screen, sight: Sight) -> Pressed:
        chosen = not getattr(screen.choices, name)
        change: dict[str, Any] = {name: chosen}
        screen = replace(screen, choices=replace(screen.choices, **change))
        return noticed(screen, on if chosen else off), Effect()

    return rule


def _tree(screen: Screen, sight: Sight) -> Pressed:
    """The tree is of the programs: it is gone to from wherever one is."""
    tree = not (screen.choices.tree and screen.place.view == PROGRAMS)
    if screen.place.view != PROGRAMS:
        screen = viewing(screen, PROGRAMS)
    return replace(screen, choices=replace(screen.choices, tree=tree)), Effect()


def _columns(screen: Screen, sight: Sight) -> Pressed:
    """The next set of columns of this view."""
    view = screen.place.view
    names = columns.sets(view)
    if len(names) == 1:
        return noticed(screen, "this view has one set of columns"), Effect()
    name = _after(columns.chosen(view, screen.choices), names)
    sets = {**screen.choices.sets, view: name}
    screen = replace(screen, choices=replace(screen.choices, sets=sets))
    return noticed(screen, f"columns: {name}"), Effect()


def _theme(screen: Screen, sight: Sight) -> Pressed:
    theme = _after(screen.choices.theme, THEMES)
    screen = replace(screen, choices=replace(screen.choices, theme=theme))
    return noticed(screen, f"theme: {theme}"), Effect(Do.REDRAW)


def _after(name: str, names: Sequence[str]) -> str:
    """The next of some names, the first after the last, and after an unknown one."""
    now = names.index(name) if name in names else -1
    return names[(now + 1) % len(names)]


# Text in the place of the table.


def _show(mode: Mode) -> Rule:
    def rule(screen: Screen, sight: Sight) -> Pressed:
        return replace(screen, mode=mode, scroll=0), Effect()

    return rule


def _stack(screen: Screen, sight: Sight) -> Pressed:
    """Ask where the holder of the connection under the cursor is."""
    if screen.place.view not in (CONNECTIONS, CHECKOUTS):
        return noticed(screen, "stacks are of connections: 3 or 8 shows them"), Effect()
    if sight.replay:
        return noticed(screen, "a recording has no stacks", error=True), Effect()
    frame = sight.frame
    found = None if frame is None else row(screen.place, frame, sight.page)
    if found is None:
        return noticed(screen, "there is no connection here"), Effect()
    if found.get("state") not in (None, *HELD):
        return noticed(screen, "nobody has this connection now"), Effect()
    held = found["process"], found["connection"]
    screen = replace(screen, mode=Mode.STACK, scroll=0, held=held)
    return screen, _asking(screen)


def _asking(screen: Screen) -> Effect:
    """Ask for what is shown."""
    assert screen.held is not None
    process, connection = screen.held
    return Effect(Do.STACK, process, connection)


def _onward(screen: Screen, sight: Sight) -> Screen:
    """From a row that is shown whole to what it leads to; back if that is nothing."""
    frame = sight.frame
    found = None if frame is None else itself(screen.place, frame)
    inner = None if found is None else drill.opened(screen.place, found)
    screen = replace(screen, mode=Mode.TABLE, scroll=0)
    return screen if inner is None else replace(screen, places=(*screen.places, inner))


def _in_text(screen: Screen, wanted: Action | None, sight: Sight) -> Pressed:
    """Scroll what is shown, ask for it again, or go on; any other key leaves it."""
    if screen.mode is Mode.STACK and wanted is Action.STACK:
        return screen, _asking(screen)
    if screen.mode is Mode.WHOLE and wanted is Action.OPEN:
        return _onward(screen, sight), Effect()
    steps = {
        Action.UP: -1,
        Action.DOWN: 1,
        Action.PAGE_UP: -max(1, sight.page - 1),
        Action.PAGE_DOWN: max(1, sight.page - 1),
        Action.TOP: -sight.lines,
        Action.BOTTOM: sight.lines,
    }
    if wanted is None or wanted not in steps:
        return replace(screen, mode=Mode.TABLE, scroll=0), Effect()
    scroll = min(screen.scroll, sight.lines) + steps[wanted]
    return replace(screen, scroll=max(0, min(scroll, sight.lines))), Effect()


def _reset(screen: Screen, sight: Sight) -> Pressed:
    """No filter, nothing hidden, the view's own order."""
    view = screen.place.view
    sorts = {name: each for name, each in screen.choices.sorts.items() if name != view}
    choices = replace(screen.choices, busy=False, sorts=sorts, alerts_first=True)
    screen = replace(screen, choices=choices)
    return screen.at(replace(screen.place, where="")), Effect()


def _pause(screen: Screen, sight: Sight) -> Pressed:
    return replace(screen, paused=not screen.paused), Effect()


def _do(do: Do, step: int = 0) -> Rule:
    def rule(screen: Screen, sight: Sight) -> Pressed:
        return screen, Effect(do, step=step)

    return rule


_RULES: dict[Action, Rule] = {
    Action.UP: _move(-1),
    Action.DOWN: _move(1),
    Action.PAGE_UP: _page(-1),
    Action.PAGE_DOWN: _page(1),
    Action.TOP: _top,
    Action.BOTTOM: _bottom,
    Action.OPEN: _open,
    Action.BACK: _back,
    Action.PROGRAMS: _view(PROGRAMS),
    Action.HOSTS: _view(HOSTS),
    Action.CHECKOUTS: _view(CHECKOUTS),
    Action.NODES: _view(NODES),
    Action.EVENTS: _view(EVENTS),
    Action.PROCESSES: _view(PROCESSES),
    Action.POOLS: _view(POOLS),
    Action.CONNECTIONS: _view(CONNECTIONS),
    Action.TIMEOUTS: _view(TIMEOUTS),
    Action.SITES: _view(SITES),
    Action.GROUP: _group,
    Action.SERVERS: _view(SERVERS),
    Action.SHARES: _view(SHARES),
    Action.ADVICE: _view(ADVICE),
    Action.NEXT_VIEW: _turn(1),
    Action.PREVIOUS_VIEW: _turn(-1),
    Action.TREE: _tree,
    Action.COLUMNS: _columns,
    Action.SORT_LEFT: ordering.sort_aside(-1),
    Action.SORT_RIGHT: ordering.sort_aside(1),
    Action.REVERSE: ordering.reverse,
    Action.SORT_MENU: ordering.open_menu,
    Action.SORT_NAME: ordering.sort_by("hostname", "node", "site", "tag"),
    Action.SORT_CONN: ordering.sort_by("conn", "clients"),
    Action.SORT_CKOUT: ordering.sort_by("ckout", "out_seconds"),
    Action.SORT_WAIT: ordering.sort_by("waiting"),
    Action.SORT_AGE: ordering.sort_by("oldest_seconds", "out_seconds", "age_seconds"),
    Action.SORT_RATE: ordering.sort_by("ckoutpersec", "uses"),
    Action.SORT_POOL: ordering.sort_by("pool_worst", "pool_used", "share"),
    Action.ALERTS_FIRST: _toggle("alerts_first", "alerts on top", "alerts in order"),
    Action.SEARCH: asked.ask(Asking.SEARCH),
    Action.SEARCH_ON: asked.search_on,
    Action.FILTER: asked.ask(Asking.FILTER),
    Action.NEXT_ALERT: asked.next_alert,
    Action.RESET: _reset,
    Action.PAUSE: _pause,
    Action.SLOWER: asked.of_updates(asked.slower),
    Action.FASTER: asked.of_updates(asked.faster),
    Action.DELAY: asked.of_updates(asked.ask(Asking.DELAY)),
    Action.BUSY: _toggle("busy", "what is idle is hidden", "what is idle is shown"),
    Action.UNITS: _toggle("exact", "durations in plain seconds", "durations by size"),
    Action.NAMES: _toggle("short_names", "short host names", "full host names"),
    Action.THEME: _theme,
    Action.STACK: _stack,
    Action.LOG: _show(Mode.LOG),
    Action.HELP: _show(Mode.HELP),
    Action.SAVE: asked.ask(Asking.SAVE),
    Action.KEEP: _do(Do.KEEP),
    Action.REDRAW: _do(Do.REDRAW),
    Action.STEP_BACK: _do(Do.STEP, -1),
    Action.STEP_ON: _do(Do.STEP, 1),
    Action.SLOW_MOTION: _do(Do.SPEED, -1),
    Action.FAST_MOTION: _do(Do.SPEED, 1),
    Action.JUMP: asked.ask(Asking.JUMP),
    Action.QUIT: _do(Do.QUIT),
}
