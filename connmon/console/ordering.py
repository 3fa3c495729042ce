"""What rows are sorted by, and how keys change that: pure rules."""

from __future__ import annotations

from dataclasses import replace

from connmon.console import columns
from connmon.console.keys import Action
from connmon.console.place import Mode, Screen
from connmon.console.pressing import Effect, Pressed, Rule, Sight, noticed
from connmon.views.schema import VIEWS, turned


def known(view: str, order: str) -> str:
    """An order that somebody chose once; empty if the view has no such field."""
    return order if VIEWS[view].field(order.removeprefix("-")) else ""


def sorted_by(screen: Screen, order: str) -> Screen:
    """The screen with what it shows in this order."""
    sorts = {**screen.choices.sorts, screen.place.view: order}
    return replace(screen, choices=replace(screen.choices, sorts=sorts))


def sort_by(*fields: str) -> Rule:
    """By the first of these fields that the view has; again, the other way round."""

    def rule(screen: Screen, sight: Sight) -> Pressed:
        view = VIEWS[screen.place.view]
        names = {each.name for each in view.fields}
        field = next((each for each in fields if each in names), None)
        if field is None:
            return noticed(screen, f"{view.name} have no such column"), Effect()
        if _field(screen) == field:
            return reverse(screen, sight)
        return sorted_by(screen, columns.natural(view.name, field)), Effect()

    return rule


def reverse(screen: Screen, sight: Sight) -> Pressed:
    """The other way round."""
    order = _order(screen)
    if not order:
        return noticed(screen, "not sorted yet: < and > choose a column"), Effect()
    return sorted_by(screen, turned(order)), Effect()


def sort_aside(step: int) -> Rule:
    """By the column that many to the right of the present one."""

    def rule(screen: Screen, sight: Sight) -> Pressed:
        sortable = _sortable(screen)
        shown = [name for name in sight.columns if name in sortable]
        if not shown:
            return screen, Effect()
        now = _field(screen)
        at = shown.index(now) if now in shown else (-1 if step > 0 else len(shown))
        field = shown[max(0, min(at + step, len(shown) - 1))]
        return _chosen(screen, field), Effect()

    return rule


def open_menu(screen: Screen, sight: Sight) -> Pressed:
    """Show all columns to choose from, with the mark on the present one."""
    names, now = _sortable(screen), _field(screen)
    at = names.index(now) if now in names else 0
    return replace(screen, mode=Mode.SORT, scroll=at), Effect()


def in_menu(screen: Screen, wanted: Action | None) -> Screen:
    """Move the mark, take what is marked, or leave the menu."""
    names = _sortable(screen)
    steps = {
        Action.UP: -1,
        Action.DOWN: 1,
        Action.PAGE_UP: -10,
        Action.PAGE_DOWN: 10,
        Action.TOP: -len(names),
        Action.BOTTOM: len(names),
    }
    if wanted is not None and wanted in steps:
        at = max(0, min(screen.scroll + steps[wanted], len(names) - 1))
        return replace(screen, scroll=at)
    if wanted is Action.OPEN:
        screen = _chosen(screen, names[min(screen.scroll, len(names) - 1)])
    return replace(screen, mode=Mode.TABLE, scroll=0)


def _chosen(screen: Screen, field: str) -> Screen:
    """By that column; if it is so already, the direction stays."""
    if _field(screen) == field:
        return screen
    return sorted_by(screen, columns.natural(screen.place.view, field))


def _field(screen: Screen) -> str:
    """What it is sorted by, whichever the direction."""
    return _order(screen).removeprefix("-")


def _order(screen: Screen) -> str:
    """The order that was chosen, or the view's own; empty if it has none."""
    view = screen.place.view
    own = next(iter(VIEWS[view].order), "")
    return known(view, screen.choices.sorts.get(view, "")) or own


def _sortable(screen: Screen) -> tuple[str, ...]:
    view, choices = screen.place.view, screen.choices
    return columns.sortable(view, columns.chosen(view, choices), screen.place.scope)
