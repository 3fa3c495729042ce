"""How a width is shared among columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connmon.console.column import DRAWN, ELASTIC, FILLING, Column, Look

Widths = Sequence[tuple[Column, int]]
"""Columns in the order they are shown in, with their cells."""

_GROWN = {Look.BAR: (15, 25), Look.SPARK: (20, 20)}
"""What a drawing grows to while there is room: at first, and at the most."""


def fitted(
    among: Sequence[Column],
    ranked: Sequence[Column],
    always: Sequence[Column],
    needs: Mapping[str, int],
    room: int,
) -> Widths:
    """Choose columns for ``room`` cells, with one between two of them.

    They are taken as ``ranked``, if they fit or are ``always`` there, and stand in the
    order of ``among``. Once one does not fit, the less important ones must leave names
    the room they need. ``needs`` are the cells of the widest values, by the columns'
    names. What is left over goes to names that are cut, to drawings, and to sentences;
    what is lacking is taken from names and sentences.
    """
    taken = {}
    kept = 0
    room += 1
    for column in ranked:
        cells = column.base(needs.get(column.name, 0))
        if column in always or cells < room - kept:
            taken[column.name] = cells
            room -= cells + 1
        else:
            kept = kept or _lacking(taken, ranked, needs)
    shown = {column: taken[column.name] for column in among if column.name in taken}
    if room < 0:
        _shrink(shown, -room)
    else:
        _grow(shown, needs, room)
    return tuple(shown.items())


def _lacking(
    taken: Mapping[str, int], among: Sequence[Column], needs: Mapping[str, int]
) -> int:
    """The cells that names are short of."""
    return sum(
        max(0, needs.get(each.name, 0) - taken[each.name])
        for each in among
        if each.look in ELASTIC and each.name in taken
    )


def _shrink(shown: dict[Column, int], lack: int) -> None:
    """Take what is lacking from what may be cut, the widest first."""
    able = [each for each in shown if each.look in ELASTIC + FILLING]
    while lack > 0 and any(shown[each] > 1 for each in able):
        shown[max(able, key=shown.__getitem__)] -= 1
        lack -= 1


def _grow(shown: dict[Column, int], needs: Mapping[str, int], room: int) -> None:
    """Give away what is left over."""
    room = _lengthen(shown, needs, room)
    for most in (0, 1):
        for each, cells in shown.items():
            wanted = _GROWN[each.look][most] if each.look in DRAWN else cells
            if most and each.look in FILLING:
                wanted = cells + room
            more = max(0, min(room, wanted - cells))
            shown[each] += more
            room -= more


def _lengthen(shown: dict[Column, int], needs: Mapping[str, int], room: int) -> int:
    """Give names what they lack, cell by cell to the shortest; return what is left."""
    while room > 0:
        cut = [
            each
            for each, cells in shown.items()
            if each.look in ELASTIC and cells < needs.get(each.name, 0)
        ]
        if not cut:
            break
        shown[min(cut, key=shown.__getitem__)] += 1
        room -= 1
    return room
