"""From a query to the rows of a frame: choose, order, and cut the window out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from connmon.errors import QueryError
from connmon.views import filters
from connmon.views.alert import RANKS
from connmon.views.forest import Forest
from connmon.views.frame import Frame, Head
from connmon.views.query import Key, Query
from connmon.views.ranking import Ranking, Step
from connmon.views.schema import VIEWS, Kind, View
from connmon.views.table import Table, Tables, nothing
from connmon.wording import quoted

IDLE = "idle"
"""The state of a connection that nobody has out."""


def checked(query: Query) -> View:
    """The view that is asked for. Raises ``QueryError`` for what cannot be asked.

    That is a view, a field to sort by or a field of the scope that there is not, and
    a filter that cannot be understood.
    """
    view = VIEWS.get(query.view)
    if view is None:
        raise QueryError(f"no view {quoted(query.view)}, expected {', '.join(VIEWS)}")
    for text in (*query.where, query.find):
        filters.parse(text, view)
    sort = query.sort.removeprefix("-")
    if query.sort and view.field(sort) is None:
        raise _no_field(view, sort, "to sort by")
    names = {*view.inner, *(each.name for each in view.fields)}
    for name, _ in query.scope:
        if name not in names:
            raise _no_field(view, name, "to narrow it by")
    return view


def answer(tables: Tables, head: Head, query: Query, now: float) -> Frame:
    """What a query shows at ``now``. Raises ``QueryError`` if it cannot be asked."""
    view = checked(query)
    table = tables.table(view.name, dict(query.scope), now)
    ranking = _arranged(table, query)
    selected, found = _selected(table, ranking, query)
    first, last = _window(query, selected, len(ranking))
    names = _fields(view, query)
    reads = [table.values.get(name, nothing) for name in names]
    return Frame(
        head=head,
        view=view.name,
        fields=names,
        rows=tuple(
            tuple([read(entry) for read in reads])
            for entry in ranking.part(first, last)
        ),
        first=first,
        count=len(ranking),
        total=len(table.entries),
        selected=selected,
        found=found,
        about=table.about,
    )


def _no_field(view: View, name: str, purpose: str) -> QueryError:
    names = ", ".join(each.name for each in view.fields)
    return QueryError(
        f"no field {quoted(name)} of {view.name} {purpose}, expected one of {names}"
    )


def _fields(view: View, query: Query) -> tuple[str, ...]:
    """The fields wanted, as far as the view has them, and always those of its key."""
    if not query.fields:
        return tuple(each.name for each in view.fields)
    wanted = {*query.fields, *view.key}
    return tuple(each.name for each in view.fields if each.name in wanted)


def _window(query: Query, selected: int | None, count: int) -> tuple[int, int]:
    """The window's first row, and the one after its last."""
    limit = count if query.limit < 0 else query.limit
    # A line beyond the window would leave out the row that it is placed by.
    line = min(query.line, max(limit - 1, 0))
    first = query.first if selected is None else selected - line
    first = max(0, min(first, count - limit))
    return first, min(first + limit, count)


# Which rows.


def _chosen(table: Table, query: Query) -> Sequence[Any]:
    entries = table.entries
    if query.busy:
        entries = list(filter(_busy(table), entries))
    for text in query.where:
        entries = list(filter(_test(table, text), entries))
    return entries


def _test(table: Table, text: str) -> Callable[[Any], bool]:
    """Whether a filter holds for an entry."""
    found = filters.parse(text, table.view)
    return found.bound(lambda name: table.values.get(name, nothing))


def _busy(table: Table) -> Callable[[Any], bool]:
    """Whether something is going on with an entry, or wrong."""
    get = table.values.get
    state, alert = get("state", nothing), get("alert", nothing)
    out, waiting = get("ckout", nothing), get("waiting", nothing)
    if "out_seconds" in table.values:
        return lambda each: state(each) != IDLE or alert(each) in RANKS
    if "ckout" in table.values:
        return lambda each: bool(out(each) or waiting(each) or alert(each) in RANKS)
    return lambda each: True


# In which order.


Arranged = Ranking | Forest


def _arranged(table: Table, query: Query) -> Arranged:
    """The rows that are wanted, in the order that is."""
    chosen, steps = _chosen(table, query), _steps(table, query)
    if query.tree and table.parent is not None:
        return Forest(chosen, steps, table.values["hostname"], table.parent)
    return Ranking(chosen, steps)


def _steps(table: Table, query: Query) -> list[Step]:
    """Alerts first, then by the order that was chosen, then by the view's own."""
    steps: list[Step] = []
    if query.alerts_first and table.ranks is not None:
        steps.append((table.ranks.get, False))
    elif query.alerts_first and "alert" in table.values:
        alert = table.values["alert"]
        steps.append((lambda each: RANKS.get(alert(each)), False))
    for order in _orders(table, query):
        field = table.view.field(order.removeprefix("-"))
        read = None if field is None else table.values.get(field.name)
        if field is not None and read is not None:
            by = _ORDERED[field.kind](read) if field.kind in _ORDERED else read
            steps.append((by, order.startswith("-")))
    return steps


def _orders(table: Table, query: Query) -> Sequence[str]:
    """What is left to sort by, of rows that may be in the view's own order."""
    orders, own = table.view.ordering(query.sort), table.view.order
    chosen = len(orders) - len(own)
    return orders[:chosen] if table.ordered and orders[chosen:] == own else orders


def _how_many(read: Callable[[Any], Any]) -> Callable[[Any], int | None]:
    """Records are in the order of how many there are."""

    def value(entry: Any) -> int | None:
        found = read(entry)
        return None if found is None else len(found)

    return value


def _together(read: Callable[[Any], Any]) -> Callable[[Any], int | None]:
    """Tallies are in the order of their sums."""

    def value(entry: Any) -> int | None:
        found = read(entry)
        return None if found is None else sum(times for _, times in found)

    return value


_ORDERED = {Kind.RECORDS: _how_many, Kind.TALLIES: _together}
"""What values are compared by that are of several parts."""


# Which of them the window is placed by.


def _selected(table: Table, ranking: Arranged, query: Query) -> tuple[int | None, bool]:
    """The row that the window is placed by, and whether it is one that was found."""
    anchor = None if query.anchor is None else _place(table, ranking, query.anchor)
    if query.find:
        found = _found(table, ranking, query, anchor)
        if found is not None:
            return found, True
    return anchor, False


def _found(
    table: Table, ranking: Arranged, query: Query, anchor: int | None
) -> int | None:
    """The next row that matches, the anchor itself last."""
    holds, step = _test(table, query.find), query.find_step
    count = len(ranking)
    entries = ranking.part(0, count)
    # Without an anchor the window's first row is the first that is looked at.
    here = min(query.first, count - 1) - step if anchor is None else anchor
    places = ((here + number * step) % count for number in range(1, count + 1))
    return next((at for at in places if holds(entries[at])), None)


def _place(table: Table, ranking: Arranged, key: Key) -> int | None:
    """The place of the row with that key."""
    if len(key) != len(table.view.key):
        return None
    scope = dict(zip(table.view.key, key, strict=True))
    entry = next(table.those(ranking.entries, scope), None)
    return None if entry is None else ranking.place(entry)
